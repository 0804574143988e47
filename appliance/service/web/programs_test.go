package web_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/service/web"
	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/webtest"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/tempo"
)

// shop is nginx behind an engine, all in one namespace.
type shop struct {
	ns         *netlab.Namespace
	web        *lab.Web
	dir        string
	plain, two *webtest.Relay // HTTP/1.1 and HTTP/2
}

func openShop(t *testing.T, cfg adapt.Config) *shop {
	t.Helper()
	l := netlab.ForTest(t)
	ns, err := l.Namespace("shop")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := l.Dir("nginx")
	if err != nil {
		t.Fatal(err)
	}
	w, err := lab.StartNginx(ns, dir, []lab.Site{{Port: 80}, {Port: 82, PriorKnowledge: true}})
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{ns: ns, web: w, dir: dir}
	behind := func(alpn, origin string) *webtest.Relay {
		near, err := ns.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return webtest.Serve(t, web.New(cfg), alpn, near, func() (net.Conn, error) { return ns.Dial("tcp", origin) })
	}
	s.plain, s.two = behind("http/1.1", "127.0.0.1:80"), behind("h2", "127.0.0.1:82")
	return s
}

func (s *shop) run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := lab.Run(ctx, s.ns, "", name, args...)
	return r.Stdout, err
}

// TestPrograms has curl, nghttp and nginx talk through services.
func TestPrograms(t *testing.T) {
	large := make([]byte, 3<<20)
	rand.Read(large)
	cfgs := webtest.Everywhere()
	for _, name := range []string{"relayed", "responses", "streaming", "three"} {
		t.Run(name, func(t *testing.T) {
			cfg := cfgs[name]
			s := openShop(t, cfg)
			text := strings.Repeat("compressible ", 20_000)
			for file, content := range map[string][]byte{"large.bin": large, "text.txt": []byte(text)} {
				if err := os.WriteFile(filepath.Join(s.web.Root, file), content, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			up := filepath.Join(s.dir, "up.bin")
			if err := os.WriteFile(up, large, 0o644); err != nil {
				t.Fatal(err)
			}
			for version, address := range map[string]string{"--http1.1": s.plain.Address, "--http2-prior-knowledge": s.two.Address} {
				curl := func(args ...string) string {
					out, err := s.run(t, "curl", append([]string{"-q", "-sS", "--fail", "--noproxy", "*", version}, args...)...)
					if err != nil {
						t.Errorf("%s %v: %v", version, args, err)
					}
					return out
				}
				url := "http://" + address
				if got := curl(url + "/large.bin"); got != string(large) {
					t.Errorf("%s: large.bin differs: %d octets", version, len(got))
				}
				urls, want := []string{"--compressed", url + "/text.txt"}, text
				if version == "--http1.1" { // curl 7.88 cannot ask twice otherwise, of nginx itself either
					urls, want = append(urls, urls[1]), text+text
				}
				if got := curl(urls...); got != want {
					t.Errorf("%s: text.txt differs: %d octets", version, len(got))
				}
				if got := curl("-I", url+"/text.txt"); !strings.Contains(strings.ToLower(got), fmt.Sprintf("content-length: %d", len(text))) {
					t.Errorf("%s: HEAD: %q", version, got)
				}
				for i, how := range [][]string{{}, {"-H", "Transfer-Encoding: chunked"}, {"-H", "Expect: 100-continue"}} {
					if version != "--http1.1" && i > 0 {
						break
					}
					file := fmt.Sprintf("up%s%d", version, i)
					curl(append(how, "-T", up, url+"/upload/"+file)...)
					if got, err := os.ReadFile(filepath.Join(s.web.Root, "upload", file)); err != nil || !bytes.Equal(got, large) {
						t.Errorf("%s: upload %d differs: %d octets, %v", version, i, len(got), err)
					}
				}
			}
			out, err := s.run(t, "nghttp", "-nv", "-m", "20", "-w", "20", "-W", "22", "http://"+s.two.Address+"/text.txt")
			if n := strings.Count(out, ":status: 200"); n != 20 || err != nil {
				t.Errorf("nghttp: %d of 20 answers, %v", n, err)
			}
			exchanges := tempo.Of(150, 1000) // more than there are at a time
			out, err = s.run(t, "h2load", "-n", strconv.Itoa(exchanges), "-c", "2", "-m", "64", "http://"+s.two.Address+"/text.txt")
			if !strings.Contains(out, fmt.Sprintf("%d succeeded, 0 failed", exchanges)) || err != nil {
				t.Errorf("h2load: %s, %v", out, err)
			}
			for _, r := range []*webtest.Relay{s.plain, s.two} {

				for _, err := range r.Errors() {
					if err != nil {
						t.Logf("session ended: %v", err)
					}
				}

			}
		})
	}
}

// TestProgramsBlocked has the user of curl see what a service answers.
func TestProgramsBlocked(t *testing.T) {
	s := openShop(t, webtest.One(webtest.EICAR()))
	if err := os.WriteFile(filepath.Join(s.web.Root, "virus.txt"), []byte(strings.Repeat("x", 5000)+"EICAR"), 0o644); err != nil {
		t.Fatal(err)
	}
	for version, address := range map[string]string{"--http1.1": s.plain.Address, "--http2-prior-knowledge": s.two.Address} {
		url := "http://" + address
		for _, args := range [][]string{{url + "/virus.txt"}, {"-T", filepath.Join(s.web.Root, "virus.txt"), url + "/upload/v"}} {
			args = append([]string{"-q", "-sS", "--noproxy", "*", version, "-w", " %{http_code}"}, args...)
			if out, err := s.run(t, "curl", args...); out != "blocked 403" || err != nil {
				t.Errorf("%v: %q, %v", args, out, err)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(s.web.Root, "upload", "v")); err == nil {
		t.Error("the upload reached the origin")
	}
}
