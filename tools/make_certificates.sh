#!/usr/bin/env bash
# Makes an authority and a certificate of it that master and workers show each other (SECURITY.md), into a folder.
#
#   tools/make_certificates.sh FOLDER NAME...
#
# NAME is what a process is called by: a host name, *.host.name, or an address. The folder gets ca.crt, ca.key, tls.crt and tls.key.
# An authority that is there already (ca.crt, ca.key) signs the new certificate, so a second call renews it. ca.key belongs to
# nobody but who issues certificates: not into a Secret, not onto the machines of a run.
# DAYS (default 90) is how long the certificate is good.
set -euo pipefail

[ $# -ge 2 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
folder="$1"
shift
days="${DAYS:-90}"
mkdir -p "$folder"
cd "$folder"
umask 077

names=""
for name in "$@"; do
    # An address has only digits and dots, or colons.
    case "$name" in
        *:* | *[0-9].[0-9]*.[0-9]*.[0-9]*) kind=IP ;;
        *) kind=DNS ;;
    esac
    case "$name" in *[!0-9.:a-fA-F]*) kind=DNS ;; esac
    names="$names${names:+,}$kind:$name"
done

quietly() { openssl "$@" 2>openssl.log || { cat openssl.log >&2; exit 1; }; }

if [ ! -e ca.key ]; then
    quietly ecparam -genkey -name prime256v1 -noout -out ca.key
    quietly req -x509 -new -key ca.key -sha256 -days 3650 -subj "/CN=TessDS authority" \
        -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" -out ca.crt
fi
quietly ecparam -genkey -name prime256v1 -noout -out tls.key.next
quietly req -new -key tls.key.next -subj "/CN=TessDS process" -out tls.csr
# Every process both calls and is called.
printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=%s\n' "$names" >tls.ext
quietly x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -sha256 -days "$days" -extfile tls.ext -out tls.crt.next
chmod 644 ca.crt tls.crt.next
mv tls.key.next tls.key
mv tls.crt.next tls.crt
rm -f tls.csr tls.ext ca.srl openssl.log
printf 'certificate for %s, good for %s days, in %s\n' "$names" "$days" "$folder" >&2
