package wire_test

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/hack/lab"
)

// What cannot be a wire is refused, and left as it was.
func TestRefusals(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ip := func(args ...string) {
		t.Helper()
		if out, err := b.Box.Command(context.Background(), "ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v\n%s", args, err, out)
		}
	}
	state := func() string {
		out, err := b.Box.Command(context.Background(), "sh", "-c", "ip link; ip addr | grep 'inet '; ls /run/netns /run/clearspan/wire | grep "+b.name+" || true").Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	for _, tt := range []struct {
		name         string
		prepare, end func()
		want         string
	}{
		{"leg with an address", func() { ip("addr", "add", "198.51.100.9/24", "dev", "wan0") }, func() { ip("addr", "flush", "dev", "wan0") }, "wan0: it has the address 198.51.100.9"},
		{"no such leg", func() { ip("link", "set", "dev", "wan0", "down"); ip("link", "set", "dev", "wan0", "name", "other0") }, func() { ip("link", "set", "dev", "other0", "name", "wan0"); ip("link", "set", "dev", "wan0", "up") }, "find leg wan0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.prepare()
			defer tt.end()
			before := state()
			p := b.launch(settings{})
			if err := p.Wait(); err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(p.stderr.String(), tt.want) {
				t.Errorf("said %q, want %q", p.stderr, tt.want)
			}
			if diff := cmp.Diff(before, state()); diff != "" {
				t.Errorf("changed by a start that failed:\n%s", diff)
			}
		})
	}
	t.Run("wire that runs", func(t *testing.T) {
		p := b.start(settings{})
		second := b.launch(settings{})
		if err := second.Wait(); err == nil || !strings.Contains(second.stderr.String(), wire.ErrInUse.Error()) {
			t.Errorf("second process: %v, %q", err, second.stderr)
		}
		b.await(true)
		p.stop()
	})
}

func TestConfig(t *testing.T) {
	legs := [2]string{"no-such-0", "no-such-1"}
	handler := func(context.Context, *decrypt.Incoming) {}
	for _, tt := range []struct {
		name    string
		config  wire.Config
		options intake.Options
		want    string
	}{
		{"no legs", wire.Config{}, intake.Options{Name: "x", Handler: handler}, "not two legs"},
		{"same leg", wire.Config{Legs: [2]string{"a", "a"}}, intake.Options{Name: "x", Handler: handler}, "not two legs"},
		{"ports", wire.Config{Legs: legs, Ports: []policy.PortRange{{First: 5, Last: 4}}}, intake.Options{Name: "x", Handler: handler}, "ports 5-4"},
		{"name", wire.Config{Legs: legs}, intake.Options{Name: "../x", Handler: handler}, `name "../x"`},
		{"no name", wire.Config{Legs: legs}, intake.Options{Handler: handler}, `name ""`},
		{"no handler", wire.Config{Legs: legs}, intake.Options{Name: "x"}, "no handler"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := wire.New(tt.config, tt.options); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	for _, name := range []string{"", ".", "a/b", strings.Repeat("x", 65)} {
		if err := wire.Remove(name); err == nil {
			t.Errorf("remove %q: no error", name)
		}
		if _, err := wire.Inspect(name); err == nil {
			t.Errorf("inspect %q: no error", name)
		}
	}
	_, err := wire.Inspect("no-such-wire")
	closed := os.Geteuid() != 0 && errors.Is(err, fs.ErrPermission) // root's state directory
	if !errors.Is(err, fs.ErrNotExist) && !closed {
		t.Errorf("inspect what is not there: %v", err)
	}
}

// A wire whose TLS connections to one port are taken, except for those of a bank
// and those that a rule wants tunnelled.
func ExampleNew() {
	config := wire.Config{
		Legs:   [2]string{lab.LANInterface, lab.WANInterface},
		Ports:  []policy.PortRange{{First: 443, Last: 443}},
		QUIC:   intake.BlockQUIC,
		Exempt: intake.Exempt{Origins: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}},
		Decide: func(in *decrypt.Incoming, flight []byte) wire.Decision {
			if in.Client.Addr() == netip.MustParseAddr("192.0.2.7") {
				return wire.Pass
			}
			return wire.Take
		},
	}
	in, err := wire.New(config, intake.Options{
		Name:    "wire",
		Handler: func(ctx context.Context, in *decrypt.Incoming) { /* carry the session */ },
	})
	if err != nil {
		return
	}
	in.Serve(context.Background())
	in.Wait()
}
