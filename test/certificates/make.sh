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
certificate worker authority DNS:worker-7.shop.example,URI:spiffe://shop.example/worker/7,email:worker-7@shop.example,IP:10.0.0.7

# A client whose names pretend to be several: they are worker-7's names, with something around them.
cat >extensions.tmp <<'END'
basicConstraints=CA:FALSE
subjectAltName=@names
[names]
DNS.1=hostile.example, DNS:worker-7.shop.example
URI.1=http://hostile.example/, DNS:worker-7.shop.example
URI.2=worker-7.shop.example
email.1=worker-7.shop.example
otherName.1=1.3.6.1.4.1.311.20.2.3;UTF8:hostile, DNS:worker-7.shop.example
dirName.1=directory
[directory]
CN=hostile, DNS:worker-7.shop.example
END
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -subj "/CN=hostile,O=Shop/CN=worker-7/OU=a+CN=b" \
  -keyout hostile.key -out request.tmp
openssl x509 -req -in request.tmp -CA authority.pem -CAkey authority.key -set_serial "0x$(openssl rand -hex 8)" -sha256 \
  -days "$days" -extfile extensions.tmp -out hostile.pem
rm request.tmp extensions.tmp
