/**
 * What the proxies of the tests are told. docs/guides/transports-http.md shows the same directives. The timeouts are
 * short so that idling past them takes no time.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pair } from "../transport/certificates.ts";

/** A proxy's timeout. */
export const TIMEOUT_MS = 2_000;

export interface Ways {
  /** Where the proxy listens. */
  readonly h2: number;
  readonly h2c: number;
  readonly http1: number;
}

/** Where the hub listens. */
export type Hubs = Pick<Ways, "h2c" | "http1">;

export function haproxy(ways: Ways, hubs: Hubs): (folder: string) => string {
  return (folder) => {
    const pem = join(folder, "server.pem");
    const { cert, key } = pair("server");
    writeFileSync(pem, cert + key);
    return `
defaults
  mode http
  timeout connect ${TIMEOUT_MS}ms
  timeout client ${TIMEOUT_MS}ms
  timeout server ${TIMEOUT_MS}ms

frontend http2
  bind 127.0.0.1:${ways.h2c} proto h2
  bind 127.0.0.1:${ways.h2} ssl crt ${pem} alpn h2
  default_backend http2
backend http2
  server hub 127.0.0.1:${hubs.h2c} proto h2

frontend http1
  bind 127.0.0.1:${ways.http1}
  option http-no-delay
  default_backend http1
backend http1
  option http-no-delay
  server hub 127.0.0.1:${hubs.http1}
`;
  };
}

export function nginx(ways: Ways, hubs: Hubs): (folder: string) => string {
  return (folder) => {
    const [cert, key] = [join(folder, "server.pem"), join(folder, "key.pem")];
    writeFileSync(cert, pair("server").cert);
    writeFileSync(key, pair("server").key);
    return `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;

  server {
    listen 127.0.0.1:${ways.h2c} http2;
    listen 127.0.0.1:${ways.h2} ssl http2;
    ssl_certificate ${cert};
    ssl_certificate_key ${key};
    location /lintel {
      grpc_pass grpc://127.0.0.1:${hubs.h2c};
      grpc_read_timeout ${TIMEOUT_MS}ms;
      grpc_send_timeout ${TIMEOUT_MS}ms;
      client_body_timeout ${TIMEOUT_MS}ms;
      client_max_body_size 0;
    }
  }
  server {
    listen 127.0.0.1:${ways.http1};
    location /lintel {
      proxy_pass http://127.0.0.1:${hubs.http1};
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_read_timeout ${TIMEOUT_MS}ms;
      proxy_send_timeout ${TIMEOUT_MS}ms;
    }
  }
}
`;
  };
}
