package lab

import (
	"context"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/needs"
	"github.com/clearspan/clearspan/hack/netlab"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gateway returns the network and a context that bounds the test. The test is
// skipped without the programs, or fails where the environment has CI set.
func gateway(t *testing.T) (context.Context, *Gateway) {
	t.Helper()
	if err := MissingPrograms("test"); err != nil {
		needs.Missing(t, err)
	}
	g, err := NewGateway(netlab.ForTest(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx, g
}

// dir returns a new directory of the gateway's lab.
func dir(t *testing.T, g *Gateway, name string) string {
	t.Helper()
	d, err := g.Lab.Dir(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// pki returns an authority and a certificate of it for names.
func pki(t *testing.T, g *Gateway, names ...string) (*PKI, KeyPair) {
	t.Helper()
	p, err := NewPKI(dir(t, g, "pki"))
	if err != nil {
		t.Fatal(err)
	}
	k, err := p.Issue(names...)
	if err != nil {
		t.Fatal(err)
	}
	return p, k
}
