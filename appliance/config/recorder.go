package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/agefile"
	"github.com/clearspan/clearspan/appliance/recorder/engine"
	"github.com/clearspan/clearspan/appliance/recorder/judge"
	"github.com/clearspan/clearspan/appliance/recorder/retain"
	"github.com/clearspan/clearspan/appliance/recorder/source/filter"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/mirror"
)

// Recorder is what the recorder of this box, or one on its own, has to do.
type Recorder struct {
	Directory string // default recorder, below the state directory
	Sources   []Source
	Inside    []string // networks, and domains of mail such as @example.test
	Inspect   Inspection
	Retain    Retain
	Alerts    []Alert
	Seal      Seal
	Encrypt   Encrypt
	API       string // unix:PATH, or a loopback ADDRESS:PORT; "": nothing is answered
	// ClickHouse is the URL of the server that has the trail, or a file that has it. Default:
	// none, the trail is in the directory.
	ClickHouse string
	Files      []string // that the section names, to be read
}

// Retain is how much is kept of each class.
type Retain struct {
	Packets                     Bound // default 10 GiB
	Received, Sent, Mail, Trail Bound // default: all, for good
}

// Bound is how much of a class is kept.
type Bound struct {
	Age  time.Duration // 0: for good
	Size uint64        // octets; 0: any number
}

// Seal is how the chain of evidence is signed.
type Seal struct {
	Every     time.Duration // default 1 h
	Timestamp string        // URL of an authority (RFC 3161); "": none
}

// Encrypt is who can read what the recorder keeps.
type Encrypt struct {
	To   []string // recipients of age; none: nothing is encrypted
	What []string // packets, contents
}

// SourceKind is where a recorder has sessions from.
type SourceKind string

const (
	SourceInterface SourceKind = "interface"    // frames on a network interface
	SourceFeed      SourceKind = "pcap-over-ip" // a live capture over TCP
	SourceDirectory SourceKind = "directory"    // captures that others put there
	SourceEngine    SourceKind = "engine"       // the sessions of the box itself
)

// Source is one place from which a recorder has sessions. Of the options by kind, those of its
// own kind count.
type Source struct {
	Name      string // unique among sources and mirrors
	Kind      SourceKind
	Interface string   // of kind interface, as the following
	Rings     uint64   // that share its frames
	Ring      uint64   // octets of each
	Filter    string   // as package recorder/source/filter has it; "": none
	Connect   string   // of kind pcap-over-ip: HOST:PORT
	Directory string   // of kind directory
	Content   []string // of kind engine, as of a [Mirror]
	Full      mirror.Overflow
	Buffer    uint64 // octets that wait for the recorder, of kind engine
}

// Alert is whom a recorder tells of findings.
type Alert struct {
	Name    string // unique among alerts
	Address string // as package recorder/alert reads it
}

// AlertKind is how an alert is sent.
type AlertKind string

const (
	AlertMail    AlertKind = "smtp"
	AlertWebhook AlertKind = "webhook"
	AlertSyslog  AlertKind = "syslog"
)

// Engine returns the source that has the sessions of the box itself; nil if there is none.
func (r *Recorder) Engine() *Source {
	if r == nil {
		return nil
	}
	for i := range r.Sources {
		if r.Sources[i].Kind == SourceEngine {
			return &r.Sources[i]
		}
	}
	return nil
}

// mirror returns the source as a mirror: what the engine shows it.
func (s *Source) mirror(state string) Mirror {
	return Mirror{
		Name: s.Name, Kind: OwnRecorder, Content: s.Content, Ports: KeepPorts, STARTTLS: KeepSTARTTLS, HTTP2: KeepHTTP2,
		Engine: engine.Config{Socket: RecorderSocket(state), Full: s.Full, Buffer: s.Buffer},
	}
}

// RecorderSocket is where the recorder of a box takes what its workers say.
func RecorderSocket(state string) string { return filepath.Join(state, "recorder.sock") }

// recorder reads n; nil if it is absent. Relative paths of what is written start at state.
func (r *reader) recorder(n *node, mirrors []Mirror, state string) *Recorder {
	if n == nil {
		return nil
	}
	t := r.table(n, "recorder")
	c := &Recorder{}
	c.Directory = value(t, "directory", filepath.Join(state, "recorder"), parsePath(state))
	c.Sources = r.sources(t, mirrors)
	kept := r.table(t.get("retain"), "retain")
	for class, bound := range map[retain.Class]*Bound{
		retain.Packets: &c.Retain.Packets, retain.Received: &c.Retain.Received, retain.Sent: &c.Retain.Sent, retain.Mail: &c.Retain.Mail, retain.Trail: &c.Retain.Trail,
	} {
		name := string(class)
		class := r.table(kept.get(name), name)
		class.fill("recorder.retain."+name, "", bound)
		class.close()
	}
	kept.close()
	c.Alerts = r.alerts(t.get("alert"), &c.Files)
	c.Inside = values(t, "inside", nil, parseText)
	receivers := make([]string, len(c.Alerts))
	for i, a := range c.Alerts {
		receivers[i] = a.Name
	}
	c.Inspect = r.inspection(t.get("inspect"), receivers, &c.Files)
	_, err := judge.New(judge.Config{Inside: c.Inside, Rules: c.Inspect.Rules, Detectors: c.Inspect.detectors(), Receivers: receivers})
	if err != nil && len(r.errs) == 0 {
		key := "inside"
		if t.has("inspect") {
			key = "inspect"
		}
		r.fail(t.place(key), "%v", err)
	}
	seal := r.table(t.get("seal"), "seal")
	c.Seal.Timestamp = value(seal, "timestamp", "", parseAuthority)
	seal.fill("recorder.seal", "", &c.Seal)
	seal.close()
	c.Encrypt = r.encrypt(t.get("encrypt"))
	c.API = value(t, "api", "", parseLocal(c.Directory))
	c.ClickHouse = r.trail(t.get("trail"))
	if filepath.IsAbs(c.ClickHouse) {
		c.Files = append(c.Files, c.ClickHouse)
	}
	t.close()
	return c
}

// sources reads the list.
func (r *reader) sources(t *table, mirrors []Mirror) (list []Source) {
	if !t.has("source") {
		t.missing("source", "")
	}
	names := make(map[string]int)
	engine := 0
	for _, item := range r.list(t.get("source"), "source") {
		s := r.source(item, names)
		for _, m := range mirrors {
			if s.Name != "" && m.Name == s.Name {
				r.fail(item.place(), "name: a mirror is called %s, too", s.Name)
			}
		}
		if s.Name == allMirrors || s.Name == noMirror {
			r.fail(item.place(), "name: %q has a meaning of its own in rules", s.Name)
		}
		if s.Kind == SourceEngine {
			if engine++; engine == 2 {
				r.fail(item.place(), "kind: there is one engine, which is a source already")
			}
		}
		list = append(list, s)
	}
	if t.has("source") && len(list) == 0 {
		r.fail(t.place("source"), "source: list is empty")
	}
	return list
}

func (r *reader) source(n *node, names map[string]int) (s Source) {
	t := r.table(n, "source")
	s.Name = unique(t, "source", names)
	s.Kind = required(t, "kind", oneOf(SourceInterface, SourceFeed, SourceDirectory, SourceEngine))
	const path = "recorder.source[]"
	switch s.Kind {
	case "":
		t.accept(keysOf(path, "", false)...)
		t.accept(keysOf(path, "", true)...)
		t.close()
		return s
	case SourceInterface:
		s.Filter = value(t, "filter", "", parseFilter)
	case SourceDirectory:
		s.Directory = required(t, "directory", parsePath(r.dir))
	case SourceEngine:
		s.Content = values(t, "content", classes(decrypt.Decrypted, decrypt.Plain), oneOf(classes(decrypt.Decrypted, decrypt.Plain, decrypt.Tunneled)...))
	}
	t.fill(path, string(s.Kind), &s)
	t.foreign("kind "+string(s.Kind), keysOf(path, string(s.Kind), false)...)
	t.close()
	return s
}

// parseFilter accepts what the kernel can filter by.
func parseFilter(s string) (string, error) {
	_, err := filter.Compile(s)
	return s, err
}

// alerts reads the list, and adds to files what it names.
func (r *reader) alerts(n *node, files *[]string) (list []Alert) {
	names := make(map[string]int)
	for _, item := range r.list(n, "alert") {
		t := r.table(item, "alert")
		a := Alert{Name: unique(t, "alert", names)}
		kind := required(t, "kind", oneOf(AlertMail, AlertWebhook, AlertSyslog))
		const path = "recorder.alert[]"
		switch kind {
		case AlertMail:
			a.Address = r.mailAlert(t, files)
		case AlertWebhook:
			a.Address = r.webhook(t, files)
		case AlertSyslog:
			a.Address = r.syslogAlert(t, files)
		default:
			t.accept(keysOf(path, "", false)...)
			t.accept(keysOf(path, "", true)...)
		}
		if kind != "" {
			t.foreign("kind "+string(kind), keysOf(path, string(kind), false)...)
		}
		t.close()
		list = append(list, a)
	}
	return list
}

// findingRules reads the rules of findings.
func (r *reader) findingRules(n *node, receivers []string) (list []judge.Rule) {
	names := make(map[string]int)
	for _, item := range r.list(n, "rules") {
		t := r.table(item, "rules")
		rule := judge.Rule{Name: unique(t, "rule", names)}
		rule.Alert = values(t, "alert", nil, among("alert", receivers))
		rule.When, rule.Or = r.counts(t, "when"), r.counts(t, "or")
		t.fill("recorder.inspect.rules[]", "", &rule)
		t.close()
		list = append(list, rule)
	}
	return list
}

// counts reads a table from detectors to least counts; nil if it is absent.
func (r *reader) counts(t *table, key string) map[string]uint64 {
	if !t.has(key) {
		return nil
	}
	entries := r.table(t.get(key), key)
	list := make(map[string]uint64, len(entries.pairs))
	for _, p := range entries.pairs {
		list[p.key] = required(entries, p.key, number(1, 1_000_000_000))
	}
	return list
}

// implicitTLS begins the address of a server that speaks TLS from the first octet on.
const implicitTLS = "tls:"

// mailAlert reads an alert by SMTP.
func (r *reader) mailAlert(t *table, files *[]string) string {
	u := url.URL{Scheme: "smtp", Path: "/"}
	u.Host = required(t, "server", func(s string) (string, error) {
		s, tls := strings.CutPrefix(s, implicitTLS)
		if tls {
			u.Scheme = "smtps"
		}
		return parseHostPort(s)
	})
	if !t.has("to") {
		t.missing("to", "")
	}
	q := url.Values{"to": {strings.Join(values(t, "to", nil, parseMailbox), ",")}}
	if from := value(t, "from", "", parseMailbox); from != "" {
		q.Set("from", from)
	}
	if ca := value(t, "ca", "", parseFile(r.dir)); ca != "" {
		q.Set("ca", ca)
		*files = append(*files, ca)
	}
	if name := value(t, "server_name", "", parseHost); name != "" {
		q.Set("name", name)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// webhook reads an alert by HTTP.
func (r *reader) webhook(t *table, files *[]string) string {
	u := required(t, "url", parseHookURL)
	secret := value(t, "secret_file", "", parseFile(r.dir))
	if u == nil {
		return ""
	}
	if secret != "" {
		q := u.Query()
		q.Set("secret-file", secret)
		*files = append(*files, secret)
		u.RawQuery = q.Encode()
	}
	return u.String()
}

// encrypt reads who can read what is kept.
func (r *reader) encrypt(n *node) (e Encrypt) {
	t := r.table(n, "encrypt")
	e.To = values(t, "to", nil, parseRecipient)
	e.What = values(t, "what", []string{"packets", "contents"}, oneOf("packets", "contents"))
	t.close()
	return e
}

// parseRecipient accepts a public key of age.
func parseRecipient(s string) (string, error) {
	if _, err := agefile.Recipients([]string{s}); err != nil || !strings.HasPrefix(s, "age1") {
		return "", fmt.Errorf("want a recipient of age such as age1..., as age-keygen prints it, not %q", s)
	}
	return s, nil
}

// parseAuthority accepts the URL of a time-stamping authority. Tokens are signed: http will do.
func parseAuthority(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return "", fmt.Errorf("want a URL such as http://tsa.example.test/, not %q", s)
	}
	return s, nil
}

// parseLocal accepts an address that only this machine reaches.
func parseLocal(base string) func(string) (string, error) {
	return func(s string) (string, error) {
		if path, ok := strings.CutPrefix(s, "unix:"); ok {
			path, err := parsePath(base)(path)
			return "unix:" + path, err
		}
		at, err := netip.ParseAddrPort(s)
		if err != nil || !at.Addr().IsLoopback() {
			return "", fmt.Errorf("want unix:PATH, or a loopback address such as 127.0.0.1:8095, not %q", s)
		}
		return s, nil
	}
}

const defaultClickHouse = "http://127.0.0.1:8123"

// trail reads where the trail is.
func (r *reader) trail(n *node) string {
	t := r.table(n, "trail")
	const sqlite, clickHouse = "sqlite", "clickhouse"
	store := value(t, "store", sqlite, oneOf(sqlite, clickHouse))
	server := value(t, "url", defaultClickHouse, parseTrailURL(r.dir))
	if store == sqlite {
		if t.has("url") {
			r.fail(t.place("url"), "url does not apply to store %s", sqlite)
		}
		server = ""
	}
	t.close()
	return server
}

// parseMailbox accepts an address of mail (RFC 5321).
func parseMailbox(s string) (string, error) {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || domain == "" || strings.ContainsAny(s, "\r\n<>, ") {
		return "", fmt.Errorf("want an address such as privacy@example.test, not %q", s)
	}
	return s, nil
}

// parseHookURL accepts what a webhook may be: HTTPS, or HTTP on this machine.
func parseHookURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("want a URL such as https://siem.example.test/hook, not %q", s)
	case u.User != nil:
		return nil, errors.New("want no password in the URL: use secret_file")
	case u.Scheme == "http":
		if ip, err := netip.ParseAddr(u.Hostname()); u.Hostname() != "localhost" && (err != nil || !ip.IsLoopback()) {
			return nil, errors.New("want https: http is for this machine only")
		}
	}
	return u, nil
}

// parseTrailURL accepts the URL of a ClickHouse server, or a file that has it.
func parseTrailURL(dir string) func(string) (string, error) {
	file := parseFile(dir)
	return func(s string) (string, error) {
		if strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://") {
			u, err := url.Parse(s)
			if err != nil || u.Host == "" {
				return "", errors.New("want a URL such as http://clickhouse.example.test:8123")
			}
			if _, secret := u.User.Password(); secret {
				return "", errors.New("want no password here: write the URL into a file, and name that")
			}
			return s, nil
		}
		return file(s)
	}
}
