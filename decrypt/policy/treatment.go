package policy

import (
	"slices"
	"strings"
)

// Treatment is what a rule asks for beside its action. It is shared and must not
// be changed. A nil one, like the zero value, asks for nothing.
type Treatment struct {
	// Mirrors show the session; nil: all there are.
	Mirrors *Mirrors
	// Content are the classes of octets shown, by their names in the
	// configuration; nil: what each mirror takes.
	Content []string
	// ALPNOffer are the application protocols that the origin may be offered;
	// nil: those of the client.
	ALPNOffer []string
	// Learn bounds what follows from what was learned: "off", "alert" or "tunnel",
	// see package learn; "": nothing beside what holds for all.
	Learn string
	// Services are the names of what the session goes through, in order from the
	// client; nil: none.
	Services []string
	// Upstream names the proxy by way of which the origin is reached; "": what holds for
	// all, [Direct]: none.
	Upstream string
}

// Direct is the upstream of sessions that go to the origin itself.
const Direct = "direct"

// Mirrors is a choice of mirrors. The zero value chooses none.
type Mirrors struct {
	All   bool
	Names []string // without All
}

// Has reports whether the mirror of that name is chosen.
func (m *Mirrors) Has(name string) bool {
	return m == nil || m.All || slices.Contains(m.Names, name)
}

// String returns "all", "none" or the names.
func (m *Mirrors) String() string {
	switch {
	case m == nil || m.All:
		return "all"
	case len(m.Names) == 0:
		return "none"
	}
	return strings.Join(m.Names, ", ")
}

// Shows reports whether the mirror of that name shows octets of a class.
func (t *Treatment) Shows(mirror, content string) bool {
	return t == nil || t.Mirrors.Has(mirror) && (t.Content == nil || slices.Contains(t.Content, content))
}

// Offer returns the client's list of application protocols without those that
// the origin may not be offered: never more, and in the client's order. A client
// that has none of them keeps its own list: it could speak nothing else, and may
// not mean the web at all. The result may be the client's list itself.
func (t *Treatment) Offer(client []string) []string {
	if t == nil || t.ALPNOffer == nil {
		return client
	}
	foreign := func(id string) bool { return !slices.Contains(t.ALPNOffer, id) }
	if !slices.ContainsFunc(client, foreign) {
		return client
	}
	narrowed := slices.DeleteFunc(slices.Clone(client), foreign)
	if len(narrowed) == 0 {
		return client
	}
	return narrowed
}

// String returns what is asked for, in the words of the configuration; "" if
// that is nothing.
func (t *Treatment) String() string {
	if t == nil {
		return ""
	}
	var words []string
	if t.Mirrors != nil {
		words = append(words, "mirror "+t.Mirrors.String())
	}
	if t.Content != nil {
		words = append(words, "content "+strings.Join(t.Content, ", "))
	}
	if t.ALPNOffer != nil {
		words = append(words, "alpn_offer "+strings.Join(t.ALPNOffer, ", "))
	}
	if t.Learn != "" {
		words = append(words, "learn "+t.Learn)
	}
	if t.Services != nil {
		words = append(words, "services "+(&Mirrors{Names: t.Services}).String())
	}
	if t.Upstream != "" {
		words = append(words, "upstream "+t.Upstream)
	}
	return strings.Join(words, "; ")
}

// asks reports whether anything is asked for.
func (t *Treatment) asks() bool {
	return t.Mirrors != nil || t.Content != nil || t.ALPNOffer != nil || t.Learn != "" || t.Services != nil || t.Upstream != ""
}

// orElse fills what t leaves open from other, and returns a copy that shares
// nothing, nil if nothing is asked for.
func (t Treatment) orElse(other *Treatment) *Treatment {
	if other != nil {
		if t.Mirrors == nil {
			t.Mirrors = other.Mirrors
		}
		if t.Content == nil {
			t.Content = other.Content
		}
		if t.ALPNOffer == nil {
			t.ALPNOffer = other.ALPNOffer
		}
		if t.Learn == "" {
			t.Learn = other.Learn
		}
		if t.Services == nil {
			t.Services = other.Services
		}
		if t.Upstream == "" {
			t.Upstream = other.Upstream
		}
	}
	if !t.asks() {
		return nil
	}
	if t.Mirrors != nil {
		t.Mirrors = &Mirrors{All: t.Mirrors.All, Names: slices.Clone(t.Mirrors.Names)}
	}
	t.Content, t.ALPNOffer, t.Services = slices.Clone(t.Content), slices.Clone(t.ALPNOffer), slices.Clone(t.Services)
	return &t
}
