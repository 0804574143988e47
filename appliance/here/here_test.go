package here

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"kernel.org/pub/linux/libs/security/libcap/cap"

	"github.com/clearspan/clearspan/appliance/config"
	lacks "github.com/clearspan/clearspan/hack/needs"
)

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("f", []byte(text), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// The process that listens is found, by every address that its listener excludes.
func TestHolders(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "[::1]:0", "0.0.0.0:0", ":0"} {
		l, err := net.Listen("tcp", listen)
		if err != nil {
			lacks.Missing(t, err)
		}
		at := netip.MustParseAddrPort(l.Addr().String())
		found := false
		for _, h := range Holders(at) {
			found = found || h.PID == os.Getpid() && h.Name != ""
		}
		if !found {
			t.Errorf("%s: holders %v, want process %d", listen, Holders(at), os.Getpid())
		}
		l.Close()
		if got := Holders(at); len(got) > 0 {
			t.Errorf("%s: %v after the end", listen, got)
		}
	}
}

// Tables of the kernel, and what is none.
func TestListening(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	line := func(local, state string) string {
		return "   0: " + local + " 00000000:0000 " + state + " 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n"
	}
	at := netip.MustParseAddrPort("127.0.0.1:8080")
	for _, tt := range []struct {
		name, table string
		want        int
	}{
		{"the address", line("0100007F:1F90", "0A"), 1},
		{"all of IPv4", line("00000000:1F90", "0A"), 1},
		{"all of IPv6", line("00000000000000000000000000000000:1F90", "0A"), 1},
		{"IPv4 in IPv6", line("0000000000000000FFFF00000100007F:1F90", "0A"), 1},
		{"another address", line("0200007F:1F90", "0A"), 0},
		{"another port", line("0100007F:1F91", "0A"), 0},
		{"a connection", line("0100007F:1F90", "01"), 0},
		{"no address", line("x:1F90", "0A"), 0},
		{"no port", line("0100007F:x", "0A"), 0},
		{"short", "0: 0100007F:1F90\n", 0},
	} {
		if got := listening(strings.NewReader(head+tt.table), at); len(got) != tt.want {
			t.Errorf("%s: %v, want %d", tt.name, got, tt.want)
		}
	}
}

// Errors of a start name a way out.
func TestRemedy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	_, inUse := net.Listen("tcp", taken)
	proxy := "intake: [{name: p, mode: explicit, listen: 127.0.0.1:1080}]\n"
	for _, tt := range []struct {
		name, text, file string
		err              error
		want             string
	}{
		{"port", "intake: [{name: p, mode: explicit, listen: '" + taken + "'}]", "", fmt.Errorf("open intake p: %w", inUse),
			taken + " is in use by here.test (pid " + fmt.Sprint(os.Getpid()) + "): intake p, --listen"},
		{"port of a mirror", proxy + "mirror: [{name: live, kind: pcap-over-ip, listen: '" + taken + "'}]", "", inUse, "mirror live, --pcap-over-ip"},
		{"port of a page", proxy + "authority: {publish: '" + taken + "'}", "", inUse, "the certificate page, --publish"},
		{"port that no part has", proxy, "", inUse, "is in use by here.test"},
		{"interface", "intake: [{name: p, mode: tproxy, listen: ':8099', from: [nosuch0]}]", "", errors.New("find interface nosuch0: Link not found"), "there is no interface nosuch0: "},
		{"path", proxy, "", fmt.Errorf("open: %w", &fs.PathError{Op: "mkdir", Path: "/x", Err: syscall.EACCES}), "name another path"},
		{"anything else", proxy, "", errors.New("odd"), "odd"},
	} {
		if got := Remedy(parse(t, tt.text), tt.file, tt.err).Error(); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Each part says which capability it needs.
func TestNeeds(t *testing.T) {
	cfg := parse(t, `
intake:
  - {name: low, mode: explicit, listen: 127.0.0.1:443}
  - {name: high, mode: explicit, listen: 127.0.0.1:1080}
  - {name: gw, mode: tproxy, listen: ":8099", from: [lan0]}
  - {name: nat, mode: redirect, listen: ":8098", from: [lan0]}
  - {name: w, mode: wire, legs: [a, b]}
mirror: [{name: r, kind: interface, interface: m0}]
services: [{name: ips, kind: inline, legs: [c, d]}]
`)
	got := make(map[string]string)
	for _, n := range needs(cfg, 1024) {
		got[n.part] = fmt.Sprint(n.root, n.caps)
	}
	for part, want := range map[string]string{
		"intake low":  fmt.Sprint(false, []cap.Value{cap.NET_BIND_SERVICE}),
		"intake high": "",
		"intake gw":   fmt.Sprint(false, []cap.Value{cap.NET_ADMIN, cap.NET_RAW}),
		"intake nat":  fmt.Sprint(false, []cap.Value{cap.NET_ADMIN}),
		"intake w":    fmt.Sprint(true, []cap.Value(nil)),
		"mirror r":    fmt.Sprint(false, []cap.Value{cap.NET_ADMIN, cap.NET_RAW}),
		"service ips": fmt.Sprint(true, []cap.Value(nil)),
	} {
		if got[part] != want {
			t.Errorf("%s needs %q, want %q", part, got[part], want)
		}
	}
	if text := remedy([]cap.Value{cap.NET_ADMIN, cap.NET_RAW}, "mode tproxy"); !strings.HasPrefix(text, "needs CAP_NET_ADMIN and CAP_NET_RAW for mode tproxy: ") {
		t.Error(text)
	}
	if text := remedy([]cap.Value{cap.NET_BIND_SERVICE}, "port 443"); !strings.HasPrefix(text, "needs CAP_NET_BIND_SERVICE for port 443: start clearspan as root, or run: setcap cap_net_bind_service=ep /") {
		t.Error(text)
	}
}

// What the machine lacks is found, each with the keys that lead to it.
func TestLook(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := parse(t, `
state: `+t.TempDir()+`
intake: [{name: p, mode: explicit, listen: "`+l.Addr().String()+`"}]
mirror:
  - {name: r, kind: interface, interface: [lo, nosuch0]}
  - {name: f, kind: pcapng, directory: `+blocked+`}
  - {name: huge, kind: pcapng, directory: huge, rotate: {size: 1TiB, keep: 1000000}}
services: [{name: av, kind: icap, url: "icap://127.0.0.1:1/av", mode: [reqmod]}]
admin: {listen: off}
`)
	got := make(map[string]Finding)
	for _, f := range Look(context.Background(), cfg, false) {
		got[strings.Join(f.Keys, ".")] = f
	}
	for keys, want := range map[string]string{
		"intake.0.listen":      "is in use by here.test",
		"mirror.0.interface.1": "there is no interface nosuch0",
		"mirror.1.directory":   "it is no directory",
		"mirror.2.directory":   "its files may take 1000000 TiB",
		"services.0":           "connection refused",
	} {
		if !strings.Contains(got[keys].Message, want) {
			t.Errorf("%s: %q, want %q", keys, got[keys].Message, want)
		}
	}
	for _, f := range Look(context.Background(), cfg, true) {
		if strings.Contains(f.Message, "in use") {
			t.Errorf("the running appliance is in its own way: %s", f.Message)
		}
	}
}
