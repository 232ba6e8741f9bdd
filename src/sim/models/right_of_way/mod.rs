//! Right of way, one file for each kind of question: who comes to a link and when (`approach`), who has to wait before one
//! (`yielding`), what those inside a junction leave of the way (`junction`), and where two ways meet (`meeting`).

pub mod approach;
pub mod junction;
mod meeting;
pub mod yielding;
