package lab

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestNginx(t *testing.T) {
	ctx, g := gateway(t)
	ca, cert := pki(t, g, "www.example", OriginV4, OriginV6)
	expired, err := ca.Expired("old.example")
	if err != nil {
		t.Fatal(err)
	}
	selfSigned, err := ca.SelfSigned("self.example")
	if err != nil {
		t.Fatal(err)
	}
	sites := append(Sites(cert),
		Site{Port: TLSPort, Names: []string{"old.example"}, Certificate: &expired},
		Site{Port: TLSPort, Names: []string{"self.example"}, Certificate: &selfSigned})
	web, err := StartNginx(g.Origin, dir(t, g, "nginx"), sites)
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 300_000)
	_, _ = rand.Read(body)
	if err := os.WriteFile(filepath.Join(web.Root, "file.bin"), body, 0o644); err != nil {
		t.Fatal(err)
	}

	for _, tc := range []struct {
		name, url, address string
		args               []string
		want               string // http version and response code, or part of the error
	}{
		{"plain", "http://www.example/file.bin", OriginV4, nil, "1.1 200"},
		{"h1", "https://www.example/file.bin", OriginV4, []string{"--http1.1"}, "1.1 200"},
		{"h2", "https://www.example/file.bin", OriginV4, []string{"--http2"}, "2 200"},
		{"h2 over IPv6", "https://www.example/file.bin", OriginV6, nil, "2 200"},
		{"by address", "https://[" + OriginV6 + "]/file.bin", OriginV6, nil, "2 200"},
		{"TLS 1.2 port", "https://www.example:8443/file.bin", OriginV4, nil, "2 200"},
		{"TLS 1.2 port refuses 1.3", "https://www.example:8443/file.bin", OriginV4, []string{"--tlsv1.3"}, "alert protocol version"},
		{"HTTP/1.1 port", "https://www.example:9443/file.bin", OriginV4, nil, "1.1 200"},
		{"chunked", "https://www.example/file.bin", OriginV4, []string{"--http1.1", "--compressed"}, "1.1 200"},
		{"expired", "https://old.example/file.bin", OriginV4, nil, "certificate has expired"},
		{"wrong name", "https://other.example/file.bin", OriginV4, nil, "no alternative certificate subject name"},
		{"self-signed", "https://self.example/file.bin", OriginV4, nil, "self-signed certificate"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			host := strings.Split(strings.TrimPrefix(strings.TrimPrefix(tc.url, "https://"), "http://"), "/")[0]
			host = strings.TrimSuffix(strings.TrimSuffix(host, ":8443"), ":9443")
			out := filepath.Join(t.TempDir(), "out")
			args := slices.Concat(Resolve(host, tc.address), tc.args, []string{"--output", out, "--write-out", "%{http_version} %{response_code}", tc.url})
			r, err := Curl(ctx, g.Client, ca.RootFile, args...)
			if err != nil {
				if !strings.Contains(err.Error(), tc.want) {
					t.Errorf("want %q, got %v", tc.want, err)
				}
				return
			}
			got, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if r.Stdout != tc.want || !bytes.Equal(got, body) {
				t.Errorf("want %s, got %s and %d octets", tc.want, r.Stdout, len(got))
			}
		})
	}

	t.Run("upload", func(t *testing.T) {
		for _, args := range [][]string{nil, {"--http1.1", "--header", "Transfer-Encoding: chunked"}} {
			args = slices.Concat(Resolve("www.example", OriginV4), args, []string{"--upload-file", filepath.Join(web.Root, "file.bin"),
				"--write-out", "%{response_code}", "https://www.example/upload/a/b.bin"})
			if r, err := Curl(ctx, g.Client, ca.RootFile, args...); err != nil || r.Stdout != "201" && r.Stdout != "204" {
				t.Fatalf("got %+v, %v", r, err)
			}
			if got, err := os.ReadFile(filepath.Join(web.Root, "upload/a/b.bin")); err != nil || !bytes.Equal(got, body) {
				t.Errorf("%d octets stored, %v", len(got), err)
			}
		}
	})
	if err := web.Stop(); err != nil {
		t.Error(err)
	}
}

func TestServerThatFails(t *testing.T) {
	_, g := gateway(t)
	bad := KeyPair{CertFile: "/nonexistent.pem", KeyFile: "/nonexistent.key"}
	_, err := StartNginx(g.Origin, dir(t, g, "nginx"), Sites(bad))
	if err == nil || !strings.Contains(err.Error(), "nonexistent.pem") {
		t.Errorf("the log is not in the error: %v", err)
	}
}
