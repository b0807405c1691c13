#!/bin/sh
# Makes the certificates of the tests anew, in this folder. They are for tests only: the keys are public.
#
#   sh test/certificates/make.sh
set -eu
cd "$(dirname "$0")"
days=36500

# authority NAME: NAME.pem and NAME.key, which vouch for others
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days "$days" -subj "/CN=Lintel test $1" \
    -addext basicConstraints=critical,CA:TRUE -keyout "$1.key" -out "$1.pem"
}

# certificate NAME AUTHORITY NAMES [DAYS]: NAME.pem and NAME.key, for these subject alternative names
certificate() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -subj "/CN=$1" -keyout "$1.key" -out request.tmp
  printf 'subjectAltName=%s\nbasicConstraints=CA:FALSE\n' "$3" >extensions.tmp
  openssl x509 -req -in request.tmp -CA "$2.pem" -CAkey "$2.key" -set_serial "0x$(openssl rand -hex 8)" -sha256 \
    -days "${4:-$days}" -extfile extensions.tmp -out "$1.pem"
  rm request.tmp extensions.tmp
}

authority authority
authority stranger
here=DNS:localhost,IP:127.0.0.1,IP:::1
certificate server authority "$here"
certificate renewed authority "$here"
certificate elsewhere authority DNS:hub.example
certificate expired authority "$here" -1
certificate client authority DNS:client.example
certificate strange-client stranger DNS:client.example
