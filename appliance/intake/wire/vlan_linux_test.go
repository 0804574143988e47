package wire_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/needs"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/tempo"
)

func TestVLAN(t *testing.T) {
	t.Parallel()
	for _, takeover := range []wire.Takeover{wire.Accept, wire.Late} {
		t.Run(string(takeover), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			for _, ns := range []*netlab.Namespace{b.Client, b.Origin} {
				if err := lab.Tag(b.Lab, ns, "eth0", 77); err != nil {
					t.Fatal(err)
				}
			}
			b.echo("tcp", ":443")
			p := b.start(settings{Takeover: takeover})
			b.await(true)
			r := b.record()
			for _, address := range []string{lab.OriginV4, lab.OriginV6} {
				to := net.JoinHostPort(address, "443")
				if err := b.exchange("tcp", to, random(300_000)); err != nil {
					t.Errorf("taken: %v", err)
				}
				if err := b.exchange("tcp", to, append(append([]byte{}, wantsTunnel...), random(300_000)...)); err != nil {
					t.Errorf("tunnelled: %v", err)
				}
			}
			client, origin := r.stop("tcp", "vlan.id", "eth.src", "eth.dst")
			want := []string{
				"77 0a:00:5e:00:00:11 0a:00:5e:00:00:14",
				"77 0a:00:5e:00:00:14 0a:00:5e:00:00:11",
			}
			if diff := cmp.Diff([][]string{want, want}, [][]string{client, origin}); diff != "" {
				t.Error(diff)
			}
			taken := 4 // accept mode asks nobody
			if takeover == wire.Late {
				taken = 2
			}
			p.expect(taken)
			p.stop()
		})
	}
}

// Loss, repetition and disorder on both legs, in both directions: octets arrive,
// and no connection escapes or is taken that should not be.
func TestImpaired(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		takeover wire.Takeover
		head     []byte
	}{{"accept", wire.Accept, nil}, {"late", wire.Late, nil}, {"tunnel", wire.Late, wantsTunnel}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.echo("tcp", ":443")
			p := b.start(settings{Takeover: tt.takeover})
			b.await(true)
			// The ends know each other's Ethernet addresses: what asks for them may be lost, too.
			if err := b.exchange("tcp", echoV4, append(append([]byte{}, tt.head...), random(100)...)); err != nil {
				t.Fatal(err)
			}
			for _, ns := range []*netlab.Namespace{b.Client, b.Origin} {
				if err := lab.Impair(b.Lab, ns, "eth0", lab.Impairment{Loss: 0.05, Repetition: 0.05, Lateness: 0.05}); err != nil {
					t.Fatal(err)
				}
			}
			sizes := []int{2 << 20}
			if tempo.Thorough() {
				sizes = []int{100 << 20}
			}
			for range 20 {
				sizes = append(sizes, 100)
			}
			var all sync.WaitGroup
			for _, size := range sizes {
				all.Go(func() {
					if err := b.exchange("tcp", echoV4, append(append([]byte{}, tt.head...), random(size)...)); err != nil {
						t.Errorf("%d octets: %v", size, err)
					}
				})
			}
			all.Wait()
			taken := 1 + len(sizes)
			if tt.head != nil {
				taken = 0
			}
			p.expect(taken)
			p.stop()
			if t.Failed() {
				t.Logf("%+v\n%s", b.status(), p.stderr)
			}
		})
	}
}

// Real programs, and TLS of which the wire knows nothing.
func TestPrograms(t *testing.T) {
	t.Parallel()
	if err := lab.MissingPrograms("demo"); err != nil {
		needs.Missing(t, err)
	}
	b := newBench(t)
	pki, err := lab.NewPKI(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := pki.Issue("www.example.test", lab.OriginV4, lab.OriginV6)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := b.Lab.Dir("nginx")
	if err != nil {
		t.Fatal(err)
	}
	web, err := lab.StartNginx(b.Origin, dir, lab.Sites(pair))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(web.Root, "file"), random(1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	p := b.start(settings{})
	b.await(true)
	ctx := context.Background()
	for i, address := range []string{lab.OriginV4, "[" + lab.OriginV6 + "]"} {
		res, err := lab.Curl(ctx, b.Client, pki.RootFile, "https://"+address+"/file")
		if err != nil || res.Stdout != string(random(1<<20)) {
			t.Errorf("curl %s: %v, %d octets", address, err, len(res.Stdout))
		}
		res, err = lab.OpenSSL(ctx, b.Client, "GET /file HTTP/1.0\n\n", "-connect", address+":9443", "-CAfile", pki.RootFile, "-quiet", "-verify_return_error")
		if err != nil || len(res.Stdout) < 1<<20 {
			t.Errorf("openssl %s: %v, %d octets", address, err, len(res.Stdout))
		}
		p.expect(2 * (i + 1))
	}
	p.stop()
}

// After Remove the box is what it was.
func TestRemove(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	look := func() string {
		out, err := b.Box.Command(t.Context(), "sh", "-c",
			`ip -d link show dev lan0; ip -d link show dev wan0; ip addr show dev lan0 | grep -c inet6; ip rule; ip -6 rule; ip route show table all | grep -c .
			bpftool net show; ls /run/clearspan/bpf 2>/dev/null | grep `+b.name+`; ls /run/clearspan/wire | grep `+b.name+`; ls /run/netns | grep `+b.name).Output()
		if err != nil && len(out) == 0 {
			t.Fatal(err)
		}
		return string(out)
	}
	before := look()
	p := b.start(settings{})
	b.await(true)
	if look() == before {
		t.Error("nothing changed by the start: the comparison is blind")
	}
	if s := b.status(); !s.Running || !s.Attached || !s.Taking || s.Legs != [2]string{"lan0", "wan0"} {
		t.Errorf("status while it runs: %+v", s)
	}
	if home, err := wire.HostNamespace(b.name); err != nil || home == "" {
		t.Errorf("the legs come from %q, which is not the test's namespace, error %v", home, err)
	} else if out, err := exec.Command("nsenter", "--net="+home, "readlink", "/proc/self/ns/net").Output(); err != nil {
		t.Error(err)
	} else if in, err := b.Box.Command(t.Context(), "readlink", "/proc/self/ns/net").Output(); err != nil || string(in) != string(out) {
		t.Errorf("the legs come from %s, %s, not from %s", home, out, in)
	}
	if err := wire.Remove(b.name); err != wire.ErrInUse {
		t.Errorf("remove a wire that runs: %v, want ErrInUse", err)
	}
	p.stop()
	if s := b.status(); s.Running || !s.Attached || s.Taking {
		t.Errorf("status after stop: %+v", s)
	}
	b.remove()
	if _, err := wire.Inspect(b.name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("status after remove: %v", err)
	}
	if diff := cmp.Diff(before, look()); diff != "" {
		t.Errorf("after remove:\n%s", diff)
	}
}
