package decrypt

import (
	"crypto/tls"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// offering bumps everything, and offers no more than the given protocols.
type offering []string

func (o offering) Decide(*policy.Facts) policy.Decision {
	return policy.Decision{Rule: "test", Treatment: &policy.Treatment{ALPNOffer: o}}
}

func TestOffer(t *testing.T) {
	h2Only := func(hello *tls.ClientHelloInfo) bool { return slices.Contains(hello.SupportedProtos, "h2") }
	type want struct {
		alpn  string
		offer Offer
		hands int32 // handshakes begun with the origin so far
	}
	for _, tt := range []struct {
		name   string
		client []string
		origin []string
		takes  func(*tls.ClientHelloInfo) bool // nil: any hello
		want   []want                          // one a session
	}{
		{"origin has both", []string{"h2", "http/1.1"}, []string{"h2", "http/1.1"}, nil, []want{{"http/1.1", OfferNarrowed, 1}}},
		{"client has no more", []string{"http/1.1"}, []string{"h2", "http/1.1"}, nil, []want{{"http/1.1", OfferClient, 1}}},
		{"client has none", []string{"h2"}, []string{"h2", "http/1.1"}, nil, []want{{"h2", OfferClient, 1}}},
		{"origin has h2 only", []string{"h2", "http/1.1"}, []string{"h2"}, h2Only,
			[]want{{"h2", OfferRetried, 2}, {"h2", OfferRemembered, 3}, {"h2", OfferRemembered, 4}}},
		{"origin refuses both", []string{"h2", "http/1.1"}, nil, func(*tls.ClientHelloInfo) bool { return false },
			[]want{{"", OfferRetried, 2}, {"", OfferRetried, 4}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var hands atomic.Int32
			b := newTLSTestbed(t, echo, func(cfg *tls.Config) {
				cfg.NextProtos = tt.origin
				cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
					hands.Add(1)
					if tt.takes == nil || tt.takes(hello) {
						return nil, nil
					}
					refusing := cfg.Clone()
					refusing.NextProtos = []string{"none-of-yours"} // no_application_protocol
					return refusing, nil
				}
			}, func(b *testbed) {
				b.cfg.Policy, b.cfg.Tap = offering{"http/1.1"}, nil
				b.cfg.Learner = learn.New(learn.Options{NarrowOffer: learn.Tunnel, NarrowOfferFor: time.Hour}, learn.Config{})
			})
			for i, w := range tt.want {
				c := b.client(func(cfg *tls.Config) { cfg.NextProtos = tt.client })
				err := c.Handshake()
				if got := c.ConnectionState().NegotiatedProtocol; got != w.alpn || (err == nil) != (w.alpn != "") {
					t.Errorf("session %d: client has %q, %v", i, got, err)
				}
				c.Close()
				s := b.session()
				if s.ALPN != w.alpn || s.Offer != w.offer || hands.Load() != w.hands {
					t.Errorf("session %d: origin chose %q, offer %q, %d handshakes; want %+v", i, s.ALPN, s.Offer, hands.Load(), w)
				}
			}
		})
	}
}

// TestRefusesOffer: only an alert of the origin's about the offer counts.
func TestRefusesOffer(t *testing.T) {
	for _, err := range []error{nil, errors.New("tls: handshake failure"), tls.AlertError(40)} {
		if refusesOffer(err) {
			t.Errorf("%v counts as a refusal", err)
		}
	}
}
