package config

import (
	"net/url"
	"slices"
	"strings"

	"github.com/clearspan/clearspan/appliance/recorder/inspect"
	"github.com/clearspan/clearspan/appliance/recorder/judge"
)

// Inspection is what a recorder looks for, and in what.
type Inspection struct {
	Received     bool // also what clients receive
	Passwords    bool // what mail messages say is tried on encrypted archives between the same people
	Rules        []judge.Rule
	Dictionaries []NamedFile
	Registered   []NamedFile
	Patterns     []inspect.Pattern
}

// NamedFile is a file that has a name.
type NamedFile struct{ Name, File string }

// detectors are the names that rules may have.
func (i *Inspection) detectors() []string {
	list := append(inspect.Options{Patterns: i.Patterns}.Detectors(), "encrypted-container")
	for _, f := range slices.Concat(i.Dictionaries, i.Registered) {
		list = append(list, f.Name)
	}
	return list
}

// inspection reads the table, and adds to files what it names.
func (r *reader) inspection(n *node, receivers []string, files *[]string) (c Inspection) {
	t := r.table(n, "inspect")
	c.Rules = r.findingRules(t.get("rules"), receivers)
	c.Dictionaries = r.namedFiles(t, "dictionaries", parseFile(r.dir), files)
	c.Registered = r.namedFiles(t, "registered", parsePath(r.dir), files)
	c.Patterns = r.patterns(t.get("patterns"))
	t.fill("recorder.inspect", "", &c)
	names := make(map[string]bool)
	for _, name := range c.detectors() {
		if names[name] {
			r.fail(t.at, "two detectors are called %s", name)
		}
		names[name] = true
	}
	t.close()
	return c
}

// namedFiles reads a table from names to files.
func (r *reader) namedFiles(t *table, key string, parse func(string) (string, error), files *[]string) (list []NamedFile) {
	if !t.has(key) {
		return nil
	}
	entries := r.table(t.get(key), key)
	for _, p := range entries.pairs {
		f := NamedFile{p.key, required(entries, p.key, parse)}
		*files = append(*files, f.File)
		list = append(list, f)
	}
	return list
}

// patterns reads the list.
func (r *reader) patterns(n *node) (list []inspect.Pattern) {
	names := make(map[string]int)
	for _, item := range r.list(n, "patterns") {
		t := r.table(item, "patterns")
		p := inspect.Pattern{Name: unique(t, "pattern", names)}
		t.fill("recorder.inspect.patterns[]", "", &p)
		t.close()
		if err := p.Check(); err != nil && p.Name != "" && p.RE != "" {
			r.fail(item.place(), "%v", err)
		}
		list = append(list, p)
	}
	return list
}

// syslogAlert reads an alert by syslog.
func (r *reader) syslogAlert(t *table, files *[]string) string {
	u := url.URL{Scheme: "syslog+tcp"}
	u.Host = required(t, "server", func(s string) (string, error) {
		switch {
		case strings.HasPrefix(s, implicitTLS):
			u.Scheme, s = "syslog+tls", s[len(implicitTLS):]
		case strings.HasPrefix(s, "udp:"):
			u.Scheme, s = "syslog+udp", s[len("udp:"):]
		}
		return parseHostPort(s)
	})
	q := url.Values{}
	if ca := value(t, "ca", "", parseFile(r.dir)); ca != "" {
		q.Set("ca", ca)
		*files = append(*files, ca)
	}
	if name := value(t, "server_name", "", parseHost); name != "" {
		q.Set("name", name)
	}
	if cert, key := r.keyPair(t, "certificate", "key", false); cert != "" {
		q.Set("certificate", cert)
		q.Set("key", key)
		*files = append(*files, cert, key)
	}
	if len(q) > 0 && u.Scheme != "syslog+tls" && u.Host != "" {
		r.fail(t.place("server"), "ca, server_name, certificate and key are for TLS: put tls: in front of the server")
	}
	u.RawQuery = q.Encode()
	return u.String()
}
