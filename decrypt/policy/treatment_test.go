package policy

import (
	"slices"
	"testing"
)

func TestTreatmentOfRules(t *testing.T) {
	table, err := New([]Rule{
		{Name: "open", Host: []string{"open.test"}},
		{Name: "hidden", Host: []string{"hidden.test"}, Treatment: Treatment{Mirrors: &Mirrors{}}},
		{Name: "one", Host: []string{"one.test"}, Treatment: Treatment{Mirrors: &Mirrors{Names: []string{"files"}}, Content: []string{"plain"}}},
		{Name: "all", Host: []string{"all.test"}, Treatment: Treatment{Mirrors: &Mirrors{All: true}, ALPNOffer: []string{"h2"}}},
		{Name: "seen", Host: []string{"seen.test"}, Treatment: Treatment{Services: []string{"ips", "av"}}},
		{Name: "bare", Host: []string{"bare.test"}, Treatment: Treatment{Services: []string{}}},
	}, Bump)
	if err != nil {
		t.Fatal(err)
	}
	with := table.WithDefault(Treatment{Mirrors: &Mirrors{Names: []string{"live"}}, ALPNOffer: []string{"http/1.1"}, Services: []string{"av"}})
	for _, tt := range []struct {
		sni           string
		without, with string
	}{
		{"open.test", "", "mirror live; alpn_offer http/1.1; services av"},
		{"hidden.test", "mirror none", "mirror none; alpn_offer http/1.1; services av"},
		{"one.test", "mirror files; content plain", "mirror files; content plain; alpn_offer http/1.1; services av"},
		{"all.test", "mirror all; alpn_offer h2", "mirror all; alpn_offer h2; services av"},
		{"seen.test", "services ips, av", "mirror live; alpn_offer http/1.1; services ips, av"},
		{"bare.test", "services none", "mirror live; alpn_offer http/1.1; services none"},
		{"none.test", "", "mirror live; alpn_offer http/1.1; services av"},
	} {
		f := &Facts{SNI: tt.sni}
		if got := table.Decide(f).Treatment; got.String() != tt.without || (got == nil) != (tt.without == "") {
			t.Errorf("%s without default: %v", tt.sni, got)
		}
		if got := with.Decide(f).Treatment.String(); got != tt.with {
			t.Errorf("%s with default: %v", tt.sni, got)
		}
		if n := testing.AllocsPerRun(100, func() { with.Decide(f) }); n != 0 {
			t.Errorf("%s: %v allocations", tt.sni, n)
		}
	}
}

func TestShows(t *testing.T) {
	for _, tt := range []struct {
		name            string
		treatment       *Treatment
		mirror, content string
		want            bool
	}{
		{"nothing asked for", nil, "files", "decrypted", true},
		{"zero value", &Treatment{}, "files", "tunneled", true},
		{"every mirror", &Treatment{Mirrors: &Mirrors{All: true}}, "files", "plain", true},
		{"no mirror", &Treatment{Mirrors: &Mirrors{}}, "files", "plain", false},
		{"this one", &Treatment{Mirrors: &Mirrors{Names: []string{"live", "files"}}}, "files", "plain", true},
		{"another one", &Treatment{Mirrors: &Mirrors{Names: []string{"live"}}}, "files", "plain", false},
		{"this class", &Treatment{Content: []string{"plain"}}, "files", "plain", true},
		{"another class", &Treatment{Content: []string{"plain"}}, "files", "decrypted", false},
	} {
		if got := tt.treatment.Shows(tt.mirror, tt.content); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}

func TestOffer(t *testing.T) {
	for _, tt := range []struct {
		name                string
		offer, client, want []string
	}{
		{"no rule", nil, []string{"h2", "http/1.1"}, []string{"h2", "http/1.1"}},
		{"narrowed", []string{"http/1.1"}, []string{"h2", "http/1.1"}, []string{"http/1.1"}},
		{"client's order", []string{"http/1.1", "h2"}, []string{"h3", "h2", "http/1.1"}, []string{"h2", "http/1.1"}},
		{"never widened", []string{"http/1.1", "h2"}, []string{"http/1.1"}, []string{"http/1.1"}},
		{"client has none of them", []string{"http/1.1"}, []string{"imap"}, []string{"imap"}},
		{"client offers nothing", []string{"http/1.1"}, nil, nil},
	} {
		client := slices.Clone(tt.client)
		got := (&Treatment{ALPNOffer: tt.offer}).Offer(client)
		if !slices.Equal(got, tt.want) || !slices.Equal(client, tt.client) {
			t.Errorf("%s: %q of %q", tt.name, got, client)
		}
	}
}
