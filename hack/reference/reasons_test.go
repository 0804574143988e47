package reference

import (
	"go/ast"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// group is a section of the page.
type group struct {
	title, text string
	words       func(of func(dir string) *Source, t *testing.T) []Word
}

func constants(dir, pattern string) func(func(string) *Source, *testing.T) []Word {
	return func(of func(string) *Source, t *testing.T) []Word { return of(dir).Constants(t, pattern) }
}

func typed(dir, typ string) func(func(string) *Source, *testing.T) []Word {
	return func(of func(string) *Source, t *testing.T) []Word { return of(dir).ConstantsOf(t, typ) }
}

func enumeration(dir, typ, names string) func(func(string) *Source, *testing.T) []Word {
	return func(of func(string) *Source, t *testing.T) []Word { return of(dir).Enumeration(t, typ, names) }
}

func list(dir, name string) func(func(string) *Source, *testing.T) []Word {
	return func(of func(string) *Source, t *testing.T) []Word { return of(dir).List(t, name) }
}

func both(parts ...func(func(string) *Source, *testing.T) []Word) func(func(string) *Source, *testing.T) []Word {
	return func(of func(string) *Source, t *testing.T) (words []Word) {
		for _, p := range parts {
			words = append(words, p(of, t)...)
		}
		return words
	}
}

var groups = []group{
	{
		"Ends of sessions", "These words stand in the audit key `reason`, in the log message `session ended`, and on block pages. Reasons of services and of origin verification join them.",
		constants("decrypt", "reason[A-Z].*"),
	},
	{
		"Ends of sessions by services", "These words stand in the audit key `reason`. The ICAP service, the mail engine or the inline device ended the session.",
		both(
			func(of func(string) *Source, t *testing.T) []Word {
				words := of("appliance/service/icap").Enumeration(t, "Reason", "reasons")
				for i := range words {
					words[i].Text = "service-" + words[i].Text
				}
				return words
			},
			constants("appliance/service/mail", "reason[A-Z].*"),
			constants("appliance/service/inline", "reason[A-Z].*"),
		),
	},
	{
		"Ends of sessions by HTTP rules", "If services see a session, clearspan refuses HTTP that two readers could take for different messages. The audit key `reason` names the sender and the fault. Likely causes are faulty software and attacks. Examine the client or the origin, or pass the session by a rule with `services: none`.",
		func(of func(string) *Source, t *testing.T) []Word {
			var names []string
			for _, name := range webWords(of("appliance/service/web/adapt")) {
				names = append(names, regexp.QuoteMeta(name))
			}
			words := of("appliance/service/web/adapt").Constants(t, strings.Join(names, "|"))
			for i, w := range words {
				request, response := "http-request-"+w.Text, "http-response-"+w.Text
				switch w.Only {
				case "Requests.":
					words[i].Text = request
				case "Responses.":
					words[i].Text = response
				default:
					words[i].Text = request + "`, `" + response
				}
			}
			return words
		},
	},
	{
		"Verification of origins", "These words stand in the audit key `tls_origin.verdict` and in the metric `clearspan_origin_verdicts_total`. If clearspan blocks the origin, they also stand in `reason`. The [configuration](config.md#origins) `origin.on_invalid` chooses the action. An origin with several faults gets the first word of this order.",
		typed("certs", "Reason"),
	},
	{
		"Revocation", "These words stand in the audit key `tls_origin.revocation` and in the metric `clearspan_origin_revocation_checks_total`.",
		constants("certs", "Status[A-Z].*"),
	},
	{
		"Losses of mirrors", "These words stand in the audit key `mirror.NAME.reason` and in the metric `clearspan_mirror_lost_octets_total`. They name the reason why octets of a session did not reach a recorder.",
		both(constants("mirror", "Reason[A-Z].*"), constants("appliance/feed", "lost[A-Z].*"), constants("appliance/feed/http2", "Reason[A-Z].*")),
	},
	{
		"HTTP/2 that cannot be transcoded", "With `http2: transcode`, a mirror shows the rest of a session as HTTP/2 if it cannot follow it. These words stand in the audit key `mirror.NAME.transcoded.reason` and in the metric `clearspan_mirror_http2_raw_octets_total`.",
		constants("appliance/feed/http2", "raw[A-Z].*"),
	},
	{
		"Connections that an intake refused", "These words stand in the metric `clearspan_intake_refusals_total` and in the log message `session refused`. No session begins, and there is no audit entry.",
		enumeration("appliance/intake", "Event", "eventNames"),
	},
	{
		"Frames of a wire", "These words stand in the metric `clearspan_wire_frames_total` and in the output of `clearspan wire status`. Each frame has one word. Words with `flow-` count connections. A word with `-dropped` behind it, such as `fragment-dropped`, counts frames that the wire dropped for that cause. These words also stand in the audit key `reason`, if `outcome` is `dropped`.",
		both(list("appliance/intake/wire", "pathNames"), constants("appliance/intake/wire", "flow[A-Z].*")),
	},
	{
		"Hellos of QUIC", "These words stand in the audit key `quic.hello`.",
		enumeration("decrypt/quic", "State", "stateNames"),
	},
	{
		"Results of services", "These words stand in the audit key `service` and in the metric `clearspan_service_decision_seconds`. A session with several messages has the most severe word in its audit entry. The list begins with the mildest.",
		constants("appliance/service/web/adapt", "Word[A-Z].*"),
	},
	{
		"Results of inline devices", "These words stand in the audit key `service`, and in the metric `clearspan_inline_events_total`.",
		constants("appliance/service/inline", "Carried|PortChanged|Reset|TimedOut|Bypassed|Refused|Broken"),
	},
	{
		"Frames and probes of inline devices", "These words stand in the metric `clearspan_inline_events_total` only.",
		both(constants("appliance/service/inline", "count[A-Z].*"), list("appliance/service/inline", "pathNames")),
	},
	{
		"Outcomes", "These words stand in the audit key `outcome`. All but `dropped` stand in the metric `clearspan_sessions_total`, too.",
		both(enumeration("decrypt", "Outcome", "outcomeNames"), constants("appliance/audit", "outcome[A-Z].*")),
	},
	{
		"Actions", "These words stand in the audit keys `action` and `would`, and in metrics. The metric `clearspan_sessions_total` has `none` if clearspan did not ask the policy.",
		enumeration("decrypt/policy", "Action", "actionNames"),
	},
	{
		"Events", "These words stand in the audit key `events` and in the metric `clearspan_policy_events_total`. The [configuration](config.md#policy) `policy.events` gives them actions. If an event decided, the audit key `rule` is `event:` and the word.",
		enumeration("decrypt/policy", "Event", "eventNames"),
	},
	{
		"Causes of bypasses", "These words stand in the audit key `bypass_by` and in the metric `clearspan_sessions_bypassed_total`.",
		typed("decrypt", "Cause"),
	},
	{
		"Lessons", "These words stand in the audit keys `learned` and `taught`, in the output of `clearspan learned list`, and in metrics.",
		typed("decrypt/learn", "Lesson"),
	},
	{
		"Reasons of lessons", "These words stand in the key `reason` of log messages about lessons, beside the words of the next section.",
		constants("decrypt", "why[A-Z].*"),
	},
	{
		"Refusals by clients", "These words stand in the audit key `tls_client.refusal`. All but `closed` are TLS alerts (RFC 8446, Section 6.2).",
		both(list("decrypt", "refusals"), constants("decrypt/learn", "Closed")),
	},
	{
		"Notices", "These words stand in the audit key `notice`.",
		enumeration("decrypt", "Notice", "noticeNames"),
	},
	{
		"Offers of application protocols", "These words stand in the audit key `alpn_offer`.",
		enumeration("decrypt", "Offer", "offerNames"),
	},
	{
		"STARTTLS", "These words stand in the audit key `starttls` and in the metric `clearspan_starttls_dialogues_total`.",
		enumeration("decrypt", "StartTLS", "startTLSNames"),
	},
	{
		"Encrypted Client Hello", "These words stand in the audit key `tls_client.ech` and in the metric `clearspan_ech_hellos_total`.",
		enumeration("decrypt", "ECH", "echNames"),
	},
}

// webWords returns the names of the words of refusals: the constants of the group
// that holds BadStart.
func webWords(s *Source) (names []string) {
	for _, f := range s.Files {
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || len(g.Specs) == 0 {
				continue
			}
			if spec, ok := g.Specs[0].(*ast.ValueSpec); ok && spec.Names[0].Name == "BadStart" {
				for _, spec := range g.Specs {
					names = append(names, spec.(*ast.ValueSpec).Names[0].Name)
				}
			}
		}
	}
	return names
}

// cache parses each package once.
func cache(t *testing.T) func(dir string) *Source {
	parsed := make(map[string]*Source)
	return func(dir string) *Source {
		if parsed[dir] == nil {
			parsed[dir] = Parse(t, dir)
		}
		return parsed[dir]
	}
}

func TestReferenceOfReasons(t *testing.T) {
	of := cache(t)
	p := NewPage("Reasons and other fixed words",
		"clearspan uses fixed words in audit entries, metrics, logs and block pages. This page explains every word. To find a word, search the page for it with backticks.",
	)
	known := make(map[string]bool)
	for _, g := range groups {
		p.Section(g.title)
		p.Text(g.text)
		var rows [][]string
		for _, w := range g.words(of, t) {
			known[w.Text] = true
			rows = append(rows, []string{Code(w.Text), w.Meaning, w.Cause, w.Do})
		}
		p.Table([]string{"word", "meaning", "likely cause", "what to do"}, rows)
	}
	p.Hold(t, "reasons.md")
	if len(known) < 150 {
		t.Errorf("only %d words", len(known))
	}

	// No reason is a constant somewhere else.
	for _, dir := range packages(t) {
		for name, text := range of(dir).strings() {
			if regexp.MustCompile(`^[rR]eason[A-Z]`).MatchString(name) && !known[text] {
				t.Errorf("%s: the reason %s (%q) is not on the page", dir, name, text)
			}
		}
	}
}

// packages returns the folders of the product, from the root, that hold source.
func packages(t *testing.T) (dirs []string) {
	t.Helper()
	for _, top := range []string{"appliance", "certs", "decrypt", "mirror"} {
		err := filepath.WalkDir(filepath.Join(Root(), top), func(file string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && (d.Name() == "testdata" || d.Name() == "e2e" || strings.HasSuffix(d.Name(), "test")) {
				return filepath.SkipDir
			}
			rel, err := filepath.Rel(Root(), filepath.Dir(file))
			if dir := filepath.ToSlash(rel); err == nil && strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") && !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return dirs
}

// takers are functions that are given a fixed word, by the index of the argument.
var takers = map[string]int{
	"fail": 0, "Refuse": 1, "refusal": 0, "teach": 1, "omit": 1, "lose": 2, "Skip": 2, "giveUp": 0, "MirrorLost": 1, "Served": 1, "served": 1, "violated": -1,
}

// TestReasonsAreConstants: no fixed word is written out where it is used. A word that
// is a constant has a comment, and so is on the page.
func TestReasonsAreConstants(t *testing.T) {
	of := cache(t)
	for _, dir := range packages(t) {
		if strings.HasPrefix(dir, "appliance/config") || strings.HasPrefix(dir, "mirror/conformance") || strings.HasPrefix(dir, "mirror/capfile") || strings.HasPrefix(dir, "appliance/cmd") {
			continue // errors of files, and of captures
		}
		s := of(dir)
		report := func(e ast.Expr, what string) {
			if text, ok := literal(e); ok && text != "" {
				t.Errorf("%s: %s is the literal %q: want a constant", s.Set.Position(e.Pos()), what, text)
			}
		}
		for _, f := range s.Files {
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					name := ""
					switch fun := n.Fun.(type) {
					case *ast.Ident:
						name = fun.Name
					case *ast.SelectorExpr:
						name = fun.Sel.Name
					}
					if i, ok := takers[name]; ok && i >= 0 && i < len(n.Args) {
						report(n.Args[i], "a reason")
					}
					for i, arg := range n.Args {
						if key, ok := literal(arg); ok && key == "reason" && i+1 < len(n.Args) {
							report(n.Args[i+1], "a reason in the log")
						}
					}
				case *ast.CompositeLit:
					if id, ok := n.Type.(*ast.Ident); ok && (id.Name == "failure" || id.Name == "Refusal") {
						for _, e := range n.Elts {
							if pair, ok := e.(*ast.KeyValueExpr); ok {
								e = pair.Value
							}
							report(e, "a reason")
						}
					}
				case *ast.AssignStmt:
					for i, left := range n.Lhs {
						if to, ok := left.(*ast.SelectorExpr); ok && strings.EqualFold(to.Sel.Name, "reason") && i < len(n.Rhs) {
							report(n.Rhs[i], "a reason")
						}
					}
				case *ast.FuncDecl:
					if n.Name.Name == "Reason" && n.Body != nil {
						for _, st := range n.Body.List {
							if ret, ok := st.(*ast.ReturnStmt); ok && len(ret.Results) == 1 {
								report(ret.Results[0], "a reason")
							}
						}
					}
				}
				return true
			})
		}
	}
}
