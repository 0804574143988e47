package netlab

import (
	"fmt"
	"os"
	"testing"
)

// fakeTB records what ForTest does.
type fakeTB struct {
	cleanups              []func()
	errors, fatals, skips int
}

func (f *fakeTB) Cleanup(c func()) { f.cleanups = append(f.cleanups, c) }
func (f *fakeTB) Error(...any)     { f.errors++ }
func (f *fakeTB) Fatal(...any)     { f.fatals++ }
func (f *fakeTB) Skip(...any)      { f.skips++ }

func TestForTestFailsOnLeftovers(t *testing.T) {
	ForTest(t) // skips where namespaces cannot be made
	f := &fakeTB{}
	lab := ForTest(f)
	if lab == nil || len(f.cleanups) != 1 {
		t.Fatalf("lab %v, %+v", lab, f)
	}
	stray := os.TempDir() + "/" + lab.stem + "-stray"
	if err := os.Mkdir(stray, 0o700); err != nil {
		t.Fatal(err)
	}
	f.cleanups[0]()
	if err := os.Remove(stray); err != nil {
		t.Fatal(err)
	}
	if f.errors != 1 || f.fatals+f.skips != 0 {
		t.Errorf("a stray directory gave %+v", f)
	}
}

func TestForTestSkipsOrFails(t *testing.T) {
	missing := &CapabilityError{[]string{"CAP_NET_ADMIN"}}
	for _, tc := range []struct {
		name   string
		err    error
		ci     bool
		skips  int
		fatals int
	}{
		{"no capability", missing, false, 1, 0},
		{"no capability in CI", missing, true, 0, 1},
		{"other error", os.ErrPermission, false, 0, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := &fakeTB{}
			refuse(f, fmt.Errorf("make: %w", tc.err), tc.ci)
			if f.skips != tc.skips || f.fatals != tc.fatals {
				t.Errorf("got %+v", f)
			}
		})
	}
}

func Example() {
	lab, err := New("example")
	if err != nil {
		return // needs root
	}
	defer func() { _ = lab.Close() }()
	a, _ := lab.Namespace("a")
	b, _ := lab.Namespace("b")
	err = lab.Link(
		End{Namespace: a, Name: "eth0", Addresses: prefixes("192.0.2.1/24")},
		End{Namespace: b, Name: "eth0", Addresses: prefixes("192.0.2.2/24")}, LinkOptions{})
	if err != nil {
		fmt.Println(err)
	}
	conn, err := a.Dial("tcp", "192.0.2.2:80")
	fmt.Println(conn, err)
}
