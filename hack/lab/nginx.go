package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/hack/netlab"
)

// Site is one virtual server of nginx, on IPv4 and IPv6.
type Site struct {
	Port        int
	Names       []string // server names; empty: the port's default
	Certificate *KeyPair // nil: plain HTTP
	Protocols   string   // of TLS, as nginx spells them; empty: "TLSv1.2 TLSv1.3"
	HTTP1       bool     // do not offer HTTP/2
	Staple      string   // file with the OCSP response to staple; may be empty
	Proxied     bool     // connections begin with a header of the PROXY protocol; X-Client of answers says what it says
	ClientMust  bool     // a client without a certificate of ClientCA gets status 400
	ClientCA    string   // file with the authority of the client certificates that it asks for; may be empty

	PriorKnowledge bool   // HTTP/2 without TLS, and nothing else
	MaxBody        string // of requests, as nginx spells sizes: longer ones are answered 413, and the connection is closed a second later; may be empty
	Forms          bool   // read what is posted below /form/ to its end, and answer 204
	Echo           bool   // answer every request with its method, host and target, a blank between
	AltSvc         string // alternative services that are announced (RFC 7838), such as h3=":443"
}

// Ports of [Sites].
const (
	PlainPort = 80
	TLSPort   = 443
	TLS12Port = 8443 // TLS 1.2 only
	HTTP1Port = 9443 // HTTP/1.1 only
)

// Sites returns the usual ones: plain HTTP on 80, HTTPS on 443 with HTTP/2 and
// TLS 1.2 and 1.3, on 8443 with TLS 1.2 only and on 9443 with HTTP/1.1 only.
func Sites(certificate KeyPair) []Site {
	return []Site{
		{Port: PlainPort},
		{Port: TLSPort, Certificate: &certificate},
		{Port: TLS12Port, Certificate: &certificate, Protocols: "TLSv1.2"},
		{Port: HTTP1Port, Certificate: &certificate, HTTP1: true},
	}
}

// Web is a running nginx.
type Web struct {
	*Server
	Root string // served at /; PUT below /upload/ stores files in Root/upload
}

// StartNginx serves the files that the caller puts into Root. Responses are
// compressed, and so chunked in HTTP/1.1, for clients that ask for it.
func StartNginx(ns *netlab.Namespace, dir string, sites []Site) (*Web, error) {
	root := filepath.Join(dir, "www")
	for _, d := range []string{root, filepath.Join(root, "upload"), filepath.Join(dir, "tmp")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	var servers strings.Builder
	var ports []int
	if slices.ContainsFunc(sites, func(s Site) bool { return s.Forms }) {
		servers.WriteString(strings.ReplaceAll(nginxForms, "@DIR@", dir))
	}
	for _, s := range sites {
		servers.WriteString(s.config())
		if !slices.Contains(ports, s.Port) {
			ports = append(ports, s.Port)
		}
	}
	config := strings.NewReplacer("@DIR@", dir, "@SERVERS@", servers.String(), "@DESCRIPTORS@", fmt.Sprint(nginxDescriptors())).Replace(nginxConfig)
	if err := writeFiles(dir, map[string]string{"nginx.conf": config}); err != nil {
		return nil, err
	}
	server, err := startServer(ns, dir, listening(ns, ports),
		"nginx", "-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "nginx.conf"))
	if err != nil {
		return nil, err
	}
	return &Web{server, root}, nil
}

func (s Site) config() string {
	var b strings.Builder
	flags := ""
	if s.Certificate != nil {
		flags = " ssl"
	}
	if s.PriorKnowledge || s.Certificate != nil && !s.HTTP1 {
		flags += " http2"
	}
	if s.Proxied {
		flags += " proxy_protocol"
	}
	fmt.Fprintf(&b, "  server {\n    listen %d%s;\n    listen [::]:%d%s;\n", s.Port, flags, s.Port, flags)
	if len(s.Names) > 0 {
		fmt.Fprintf(&b, "    server_name %s;\n", strings.Join(s.Names, " "))
	}
	if s.Certificate != nil {
		protocols := s.Protocols
		if protocols == "" {
			protocols = "TLSv1.2 TLSv1.3"
		}
		fmt.Fprintf(&b, "    ssl_certificate %s;\n    ssl_certificate_key %s;\n    ssl_protocols %s;\n",
			s.Certificate.CertFile, s.Certificate.KeyFile, protocols)
	}
	if s.MaxBody != "" {
		fmt.Fprintf(&b, "    client_max_body_size %s;\n    lingering_close always;\n    lingering_time 1s;\n", s.MaxBody)
	}
	if s.AltSvc != "" {
		fmt.Fprintf(&b, "    add_header Alt-Svc '%s';\n", s.AltSvc)
	}
	if s.Staple != "" {
		fmt.Fprintf(&b, "    ssl_stapling on;\n    ssl_stapling_file %s;\n", s.Staple)
	}
	if s.Proxied {
		b.WriteString("    add_header X-Client $proxy_protocol_addr;\n")
	}
	if s.ClientCA != "" {
		fmt.Fprintf(&b, "    ssl_client_certificate %s;\n    ssl_verify_client %s;\n", s.ClientCA, map[bool]string{false: "optional", true: "on"}[s.ClientMust])
	}
	if s.Echo {
		b.WriteString("    return 200 \"$request_method $host $request_uri\";\n")
	}
	if s.Forms {
		b.WriteString("    location /form/ { proxy_pass http://forms; }\n")
	}
	b.WriteString("    location /upload/ { dav_methods PUT DELETE; create_full_put_path on; }\n  }\n")
	return b.String()
}

// nginxForms takes forms. What is in front of it has read them to the end.
const nginxForms = `  upstream forms { server unix:@DIR@/forms; }
  server {
    listen unix:@DIR@/forms;
    return 204;
  }
`

// nginxDescriptors is how many connections and files nginx may have: as many as
// there can be, up to what 50,000 sessions take.
func nginxDescriptors() uint64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 1024
	}
	return min(limit.Max, 52_000)
}

// The user stays root: the files belong to the caller and the master is only a
// test server. Worker and temporary paths all lie in the lab's directory.
const nginxConfig = `daemon off;
user root;
worker_processes 1;
pid @DIR@/nginx.pid;
error_log stderr warn;
worker_rlimit_nofile @DESCRIPTORS@;
events { worker_connections @DESCRIPTORS@; }
http {
  access_log @DIR@/access.log combined;
  client_body_temp_path @DIR@/tmp/body;
  proxy_temp_path @DIR@/tmp/proxy;
  fastcgi_temp_path @DIR@/tmp/fastcgi;
  uwsgi_temp_path @DIR@/tmp/uwsgi;
  scgi_temp_path @DIR@/tmp/scgi;
  client_max_body_size 0;
  keepalive_requests 100000;
  keepalive_timeout 10m;
  root @DIR@/www;
  default_type application/octet-stream;
  types { text/html html; text/plain txt; application/json json; }
  sendfile on;
  tcp_nopush on;
  gzip on;
  gzip_types text/plain application/json application/octet-stream;
@SERVERS@}
`
