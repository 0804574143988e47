package dissect_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/hack/needs"
)

const nginxConfig = `daemon off; master_process off; pid %[1]s/pid; error_log stderr crit;
events {}
http {
  access_log off; root %[1]s/www; client_max_body_size 0;
  client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
  server { listen 127.0.0.1:%[2]d; location / { dav_methods PUT; } location /chunked/ { ssi on; ssi_types *; alias %[1]s/www/; } }
  server { listen 127.0.0.1:%[3]d http2; location / { dav_methods PUT; } }
}`

// TestAgainstNginx: contents have the hashes of the files that curl got from nginx and
// put there.
func TestAgainstNginx(t *testing.T) {
	for _, program := range []string{"nginx", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			needs.Missing(t, err)
		}
	}
	dir := t.TempDir()
	file := bytes.Repeat([]byte("0123456789abcdef\x00\r\n.\r\n"), 50_000)
	ports := [2]int{freePort(t), freePort(t)}
	for name, content := range map[string][]byte{"www/file": file, "conf": fmt.Appendf(nil, nginxConfig, dir, ports[0], ports[1])} {
		os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755)
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	nginx := exec.Command("nginx", "-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "conf"))
	nginx.Stderr = os.Stderr
	if err := nginx.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nginx.Process.Kill(); nginx.Wait() })

	for i, version := range []string{"--http1.1", "--http2-prior-knowledge"} {
		origin := fmt.Sprintf("127.0.0.1:%d", ports[i])
		await(t, origin)
		r := newRelay(t, origin)
		base := "http://" + r.Addr().String()
		curl := func(arguments ...string) {
			t.Helper()
			out, err := exec.Command("curl", append([]string{"-sS", "-m", "20", version, "-o", filepath.Join(dir, "got")}, arguments...)...).CombinedOutput()
			if err != nil {
				t.Fatalf("curl %v: %v\n%s", arguments, err, out)
			}
		}
		curl(base + "/file")
		curl("-T", filepath.Join(dir, "www/file"), base+"/new"+version)
		want := []exchange{
			{"GET", "/file", "127.0.0.1", hash(nil), 200, hash(file)},
			{"PUT", "/new" + version, "127.0.0.1", hash(file), 201, hash(nil)},
		}
		if i == 0 {
			curl(base + "/chunked/file")
			want = append([]exchange{{"GET", "/chunked/file", "127.0.0.1", hash(nil), 200, hash(file)}}, want...)
		}
		if diff := cmp.Diff(want, r.dissected(0)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", version, diff)
		}
	}
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// await returns when something listens.
func await(t *testing.T, address string) {
	for range 200 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("nothing listens on %s", address)
}
