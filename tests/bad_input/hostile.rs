//! Files made to use up memory or time.

use std::io::Write;

use super::{GOOD_ROUTES, Input, NET, error};

/// `begin`, `middle` so often that it is about `mib` MiB, `end`.
fn large(begin: &str, middle: &str, mib: usize, end: &str) -> Vec<u8> {
    [begin, &middle.repeat((mib << 20) / middle.len()), end].concat().into_bytes()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

#[test]
fn an_attribute_without_end_is_an_error() {
    let value = |begin: &str, end: &str| large(begin, "a b d ", 80, end);
    let routes = value("<routes>\n<route id=\"r\" edges=\"", "\"/></routes>");
    error(&Input::net(NET).with("r.rou.xml", routes), &["r.rou.xml:2", "longer than 32 MiB"]);
    let net = value("<net>\n<edge id=\"", "\"/></net>");
    error(&Input::net(net), &["n.net.xml:2", "longer than 32 MiB"]);
    let configuration = value("<configuration>\n<net-file value=\"", "\"/></configuration>");
    let input = Input::new("-c DIR/a.sumocfg").with("a.sumocfg", configuration);
    error(&input, &["a.sumocfg:2", "longer than 32 MiB"]);
}

#[test]
fn a_compressed_bomb_is_an_error() {
    let blanks = packed(&large("<routes>\n", " ", 1024, "</routes>"));
    error(&Input::net(NET).with("r.rou.xml", blanks), &["r.rou.xml", "longer than 32 MiB"]);
    let element = format!("<poly id=\"{}\"/>", "y".repeat(2000));
    let elements = packed(&large("<routes>\n", &element, 200, "</routes>"));
    error(&Input::net(NET).with("r.rou.xml", elements), &["r.rou.xml", "unpacks to more than 250 times its size"]);
    let cut = packed(GOOD_ROUTES.as_bytes());
    error(&Input::net(NET).with("r.rou.xml", &cut[..cut.len() - 9]), &["r.rou.xml"]);
}

#[test]
fn elements_without_end_are_errors() {
    let deep = large("<routes>", "<x>", 1, "");
    error(&Input::net(NET).with("r.rou.xml", deep), &["r.rou.xml:1", "nested deeper than 64"]);
    let wide = (0..5000).fold("<routes>\n<vehicle".to_owned(), |text, n| text + &format!(" a{n}=\"\""));
    let wide = Input::net(NET).with("r.rou.xml", wide + "/></routes>");
    error(&wide, &["r.rou.xml:2: vehicle: has more than 1000 attributes"]);
    let entity = "<!DOCTYPE r [<!ENTITY x \"yyyy\">]>\n<routes><vType id=\"&x;\"/></routes>";
    error(&Input::net(NET).with("r.rou.xml", entity), &["r.rou.xml:2: vType: attribute 'id'"]);
}

#[test]
fn flows_without_end_are_errors() {
    let flow = |attributes: &str| {
        Input::routes(format!("<flow id=\"f\" from=\"a\" to=\"d\" begin=\"0\" {attributes}/>"))
            .instead_of("--end 300", "")
    };
    error(&flow("end=\"1e9\" period=\"0.001\""), &["r.rou.xml:2: flow 'f': more than 16777216 vehicles"]);
    error(&flow("end=\"1e11\" probability=\"0.001\""), &["r.rou.xml:2: flow 'f'", "lasts too long"]);
    error(&flow("number=\"99999999999\" period=\"1\""), &["r.rou.xml:2: flow 'f': more than 16777216 vehicles"]);
    let many = Input::routes(r#"<trip id="t" from="a" to="d" depart="0"/>"#).options("--scale 1e12");
    error(&many, &["r.rou.xml:2: trip 't': more than 16777216 vehicles"]);
}
