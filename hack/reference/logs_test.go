package reference

import (
	"cmp"
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// message is one message of the log.
type message struct {
	dir, level, text string
	keys             []string
}

var logLevels = []string{"ERROR", "WARN", "INFO", "DEBUG"}

var logger = regexp.MustCompile(`(?i)log(ger)?$`)

// messages returns the messages that a package logs.
func messages(t *testing.T, s *Source) (list []message) {
	for _, f := range s.Files {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			fun, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !logger.MatchString(last(fun.X)) {
				return true
			}
			level, args := strings.ToUpper(fun.Sel.Name), call.Args
			switch {
			case level == "LOG" && len(args) > 2:
				level, args = "INFO or WARN", args[2:]
			case !slices.Contains(logLevels, level) || len(args) == 0:
				return true
			}
			var texts []string
			switch first := args[0].(type) {
			case *ast.IndexExpr: // of a map of messages
				for _, it := range s.items(t, last(first.X)) {
					texts = append(texts, it.text)
				}
			default:
				text, ok := literal(first)
				if !ok {
					t.Errorf("%s: the message is not constant", s.Set.Position(call.Pos()))
				}
				texts = []string{text}
			}
			keys := s.keys(t, f, args[1:], call.Ellipsis.IsValid())
			for _, text := range texts {
				list = append(list, message{s.Dir, level, text, keys})
			}
			return true
		})
	}
	return list
}

// last returns the last name of a selection.
func last(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.CallExpr:
		return last(e.Fun)
	}
	return ""
}

// keys returns the keys of the arguments behind a message.
func (s *Source) keys(t *testing.T, f *ast.File, args []ast.Expr, spread bool) (keys []string) {
	if spread {
		return s.spread(f, last(args[len(args)-1]))
	}
	for i := 0; i < len(args); i += 2 {
		key, ok := literal(args[i])
		if !ok {
			t.Errorf("%s: a key is not constant", s.Set.Position(args[i].Pos()))
		}
		keys = append(keys, key)
	}
	return keys
}

// spread returns the keys that a variable of the file, or a function of the package,
// holds: those of its list, and those that are appended.
func (s *Source) spread(f *ast.File, name string) (keys []string) {
	pairs := func(args []ast.Expr) {
		for i := 0; i < len(args); i += 2 {
			if key, ok := literal(args[i]); ok {
				keys = append(keys, key)
			} else if sum, ok := args[i].(*ast.BinaryExpr); ok && sum.Op == token.ADD {
				if key, ok := literal(sum.X); ok {
					keys = append(keys, key+"NAME")
				}
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if set, ok := n.(*ast.AssignStmt); ok && len(set.Lhs) == 1 && last(set.Lhs[0]) == name {
			if list, ok := set.Rhs[0].(*ast.CompositeLit); ok {
				pairs(list.Elts)
			}
		}
		return true
	})
	for _, f := range s.Files {
		for _, d := range f.Decls {
			fun, ok := d.(*ast.FuncDecl)
			if !ok || fun.Name.Name != name {
				continue
			}
			ast.Inspect(fun.Body, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && last(call.Fun) == "append" {
					pairs(call.Args[1:])
				}
				return true
			})
		}
	}
	return keys
}

// areas are the sections of the page, by folder; the first that matches counts.
var areas = []struct{ title, folders, text string }{
	{"Start, reload and stop", "appliance|appliance/(authority|feed|intakes|services|sessions)|appliance/cmd/.*", ""},
	{"Processes", "appliance/keeper(/.*)?", "The keeper writes these. `worker` is the number of a worker, counted from the start."},
	{"Audit log", "appliance/audit", ""},
	{"Outputs of the audit log", "appliance/export", ""},
	{"Session tickets", "appliance/tickets", ""},
	{"Intakes", "appliance/intake(/.*)?", "Each message also has the key `intake`, the name of the intake."},
	{"Services", "appliance/service(/.*)?", "Each message also has the key `service`, the name of the service."},
	{"Mirrors", "mirror.*", "Each message also has the key `mirror`, the name of the mirror. Messages about capture files have `directory`, those about readers `reader`."},
	{"Control socket", "appliance/control(/.*)?", "`user` and `pid` are those of the operator."},
	{"Recorder", "appliance/recorder(/.*)?", "`clearspan recorder run` writes these. `source` is an interface, an address or a directory."},
	{"Certificates", "certs.*", ""},
	{"Sessions and learning", "decrypt.*", ""},
}

// remedies explain messages at the levels ERROR and WARN.
var remedies = map[string]string{
	"retention failed, it is tried again":                                  "The disk may run full: nothing is removed. See the error.",
	"disk is nearly full, not everything is kept":                          "Too little of the disk is free. `stopped` is what is not kept any more; `clearspan recorder status` counts packets that are refused. Make room, or set shorter bounds.",
	"chain of evidence cannot be written":                                  "A change of what is kept is not in the chain. Make room on the disk of the directory.",
	"alert waits, it is sent again":                                        "The server of mail, or the address of HTTP, does not take an alert, see `err`. It waits on the disk for three days.",
	"alert lost":                                                           "Nobody is told of a finding. It is in the trail: `clearspan recorder search 'finding:*'`.",
	"content cannot be kept":                                               "Objects have rows, but no octets. Make room on the disk of the directory, or check its rights.",
	"packets cannot be written":                                            "Frames are lost until writing works again; `clearspan recorder status` counts them. Make room on the disk of the directory.",
	"rows cannot be written, the analysis waits":                           "The trail, the content or the seal takes nothing. Make room on the disk. Packets are kept meanwhile, and nothing is lost.",
	"volume is damaged, the rest of it is not analysed":                    "The disk has changed packets, or somebody has. `clearspan recorder verify` names the volume.",
	"no time stamp, asking again":                                          "The time-stamping authority does not answer, or answers something else. Signatures stay without a stamp until it does. The cause stands in `err`.",
	"the API has ended":                                                    "Questions over HTTP are not answered. The recorder goes on. The cause stands in `err`.",
	"a request cannot be answered":                                         "A question over HTTP could not be answered. The cause stands in `err`, the client gets status 500.",
	"packets are not analysed, their key was lost with the process before": "The recorder encrypts, and was killed before it had analysed all. `status` counts such volumes. Import them with the identity.",
	"feed ended, connecting again":                                         "The other end of a pcap-over-IP feed closed, or does not answer. Its frames are not recorded meanwhile.",
	"directory cannot be read":                                             "Captures in it wait. Check its rights.",
	"capture cannot be read to its end":                                    "The part that could be read counts. The file is renamed to `NAME.failed`.",
	"capture cannot be renamed, it will be read again":                     "Check the rights of the directory. The same capture gives the same events.",
	"recorder does not answer":                                             "The recorder of this box is not there, or does not take what is said. See its own messages. Sessions wait in the buffer of the source, and are counted as lost beyond it.",
	"engine cannot be read, it connects again":                             "A worker sent what is no record, or its connection failed. It sends again what was not stored.",

	"companion ended, starting it again":    "A process beside the workers, such as the recorder, ended: see its last messages. It goes on where it was.",
	"companion does not end, it is killed":  "A process beside the workers did not end within 20 s. The next one does the rest of its work.",
	"worker ended unasked":                  "A worker crashed, was killed, or stopped to work; its sessions are lost. Another one takes its place. `stack` has what it wrote: report it.",
	"worker not replaced":                   "The worker that was to take the place of a dead one did not start, see `err`. The keeper tries again.",
	"workers die: no connections are taken": "Five workers ended within a minute. Connections are refused or pass, as without clearspan. See the messages before; the keeper tries again every 10 s.",
	"resource not closed":                   "A listener, or what belongs to it in the kernel, is left. See `err`.",
	"orders are not taken":                  "`clearspan upgrade` does not reach the process. Signals work.",
	"upgrade undone":                        "The new program did not take over, see `err`. The program before it runs on, with its sessions.",

	"authority not rotated": "The next CA did not take over. See `err`, and run `clearspan ca show`.",
	"close intake":          "An intake did not close in order. Check for left kernel rules or wires.",
	"legs of crashed inline devices not returned":                             "Interfaces of an earlier run may be in use still. See `err`.",
	"exempt addresses of a wire not replaced":                                 "After a reload, a wire still has the old addresses. Reload again.",
	"audit trail not reopened":                                                "After SIGHUP, the audit log still goes to the old file. Check directory and rights.",
	"request for an exception not kept":                                       "The list of `clearspan exceptions` is full, or its file is not writable. See `err`. Answer the requests, then `--clear`.",
	"address in use, another one is taken":                                    "clearspan runs without a file, and the process in `by` has a built-in address. clearspan listens on the address in `instead`.",
	"service manager not told":                                                "systemd does not learn how clearspan is, and may end it. See `err`.",
	"privileges kept":                                                         "The kernel, a container or a token does not allow a bound. The process can do more than it needs. See `err`.",
	"change needs a restart":                                                  "The reload left the key in `key` as it was. Restart clearspan.",
	"root skipped":                                                            "clearspan cannot read a certificate or file of `origin.roots`. Repair the file.",
	"audit log takes nothing, entries are lost":                               "The file of the audit log hangs. Check the disk, or the reader of the pipe.",
	"client is not of a network that the proxy serves":                        "clearspan reset the connection. If the client is yours, add its network to `from` of the intake.",
	"every machine with a private address may read the mirror, see key from":  "A `pcap-over-ip` mirror listens beyond loopback. Set `from`.",
	"reader refused":                                                          "A reader of `pcap-over-ip` is not permitted. If it is yours, see `readers` and `from` of the mirror.",
	"audit log cannot be written":                                             "Audit entries are lost. Make room on the disk.",
	"too many exempt addresses for a wire: it asks the policy about the rest": "Rules name more addresses than `limit`. clearspan decides about the rest itself, which costs time.",
	"wire copies passed frames to one mirror port only":                       "Another mirror gets these frames. Only the first mirror port takes them.",
	"a wire does not take connections yet":                                    "The wire's loop is stuck or has no processor time. Its connections pass, or are blocked, as `down` says.",
	"frames dropped that cannot be judged":                                    "The wire dropped frames of selected connections. `frames` has the causes and numbers of the last minute at least.",
	"a leg has no carrier: the other one is taken down":                       "`iface` has no carrier: a cable, a port or the device beyond. With `link: both`, `other` is down as well. It comes up when the carrier is back for 1 s.",
	"legs do not follow each other":                                           "The wire cannot read its legs, or cannot set one up or down. It tries again until it can.",
	"wire maintenance failed":                                                 "The wire cannot read its maps. Old flows stay in them until the next try.",
	"intake ended":                                                            "An intake stopped. Restart clearspan.",
	"administration ended":                                                    "Health checks and metrics stopped. Restart clearspan.",
	"control socket ended":                                                    "Commands such as `clearspan reload` do not reach the process. SIGHUP works. Restart clearspan.",
	"socket of the worker ended":                                              "While this worker drains, `clearspan status` and `clearspan sessions` name it as one that does not answer. Its sessions go on.",
	"publishing ended":                                                        "The page with the CA certificate stopped. Restart clearspan.",
	"service found a threat":                                                  "A service found a virus or a violation. Examine the client.",
	"audit log cannot be rotated, and grows":                                  "The file cannot be renamed. Check the rights of its directory.",
	"files of the audit log are not compressed or removed":                    "Old files stay as they are. Make room on the disk, or check the rights of the directory.",
	"audit entries are removed that an output has not sent":                   "The output was away for too long. Raise `audit.rotate.keep`, and see why the receiver was away.",
	"audit file cannot be read":                                               "How many entries are lost with a file is not known. See `err`.",
	"audit output is not reached, entries wait in the audit files":            "Check the receiver and the way to it. Nothing is lost while the files are kept.",
	"cursor of an audit output cannot be written":                             "After a restart, the output sends entries again. Make room on the disk of the state directory.",
	"audit file that an output has not sent is gone or damaged":               "Entries are lost for the output. Do not remove, rename or change audit files by other programs.",
	"TLS secrets are written: the files of this mirror decrypt every captured connection": "The mirror has `secrets: true`. Protect the files.",
	"TLS secrets are written: this file decrypts every captured connection":               "The environment variable `SSLKEYLOGFILE` is set. Protect the file.",
	"TLS secrets not written":                            "The file of `SSLKEYLOGFILE` cannot be written. Make room on the disk.",
	"configuration unchanged":                            "The reload failed, and the old configuration stays. Run `clearspan check -c FILE`.",
	"inline device is unplugged":                         "An interface of the device has no link. Check the cable.",
	"inline device cannot be used":                       "clearspan cannot set up the interfaces. See `err`.",
	"inline device is down: no connection comes through": "Sessions fail or pass, by `on_failure`. Check the device.",
	"ICAP server is not used until it answers":           "The server failed. clearspan asks other servers, and tries it again later.",
	"forwarding is off: the kernel does not route traffic that is not diverted, and no traffic if this process dies": "Turn the `sysctl` on, unless that is intended.",
	"IPv6 is disabled, only IPv4 is diverted":       "The kernel has no IPv6. Clients with IPv6 pass undecrypted, or not at all.",
	"QUIC of a wire is not judged any more":         "The ring of the wire's QUIC datagrams cannot be read. QUIC is refused or dropped. Restart clearspan.",
	"QUIC flows without audit entries":              "More QUIC flows began than clearspan writes entries for: 50 a second, 1,000 at once. `flows` has their number. Look for a flood.",
	"session panicked":                              "clearspan contained a fault of its own. Report it with `stack`.",
	"decision panicked":                             "clearspan contained a fault of its own. Report it with `stack`.",
	"look-up panicked":                              "clearspan contained a fault of its own. Report it with `stack`.",
	"intake not removed completely":                 "Kernel rules may be left. See `nft list ruleset` and `ip rule`.",
	"destination is a listener of clearspan itself": "The session has an entry with the reason `loop`. Compare `origin` with `listen` of the intakes.",
	"accept failed":                                 "Mostly no file descriptors. Raise `LimitNOFILE`.",
	"session refused":                               "clearspan reset a connection because of load. See [reasons](reasons.md#connections-that-an-intake-refused). `missed` counts refusals that were not logged.",
	"mirror interface takes no frames by XDP":       "Set another `method`.",
	"reader takes nothing, disconnected":            "A reader of `pcap-over-ip` stood still. Check the recorder.",
	"reader too slow, disconnected":                 "A reader of `pcap-over-ip` did not keep up, and `slow` is `disconnect`.",
	"readers not accepted":                          "Mostly no file descriptors. Raise `LimitNOFILE`.",
	"reader not handed over, disconnected":          "The reader took nothing for 5 s while another process took over. It may connect again.",
	"reader not taken over":                         "The connection of a reader could not be used, see `err`. It may connect again.",
	"readers not taken over":                        "The process that ends its sessions broke off, see `err`. Its readers may connect again.",
	"reader refused, too many":                      "Too many readers are connected.",
	"vxlan remote refuses frames":                   "The recorder does not listen on the port. Check it.",
	"mirror interface drops parts of super-segments silently, the sink sends single segments": "The adapter cannot cut segments. clearspan sends frame by frame, which costs more.",
	"mirror interface sends single segments":                                                  "The adapter cannot cut segments. clearspan sends frame by frame, which costs more.",
	"transmit checksum offload stays off":                                                     "clearspan could not restore the setting of the interface. Use `ethtool -K IF tx on`.",
	"TLS secrets lost":                                                                        "Some captured sessions cannot be decrypted from the file.",
	"capture file of an earlier run not recovered":                                            "A file of an earlier run is not complete. Keep it or remove it.",
	"capture file not completed":                                                              "The end of a file could not be written. Make room on the disk.",
	"old capture files not removed":                                                           "The directory grows. Check its rights.",
	"capture storage failed":                                                                  "Frames are lost. Make room on the disk, or lower `rotate.keep`.",
	"captured frames lost at close":                                                           "The disk was too slow at the end. Recordings lack the last frames.",
	"mirror interface took frames that it did not send":                                       "The adapter or its driver loses frames. Try another `method`.",
	"mirror interface not usable":                                                             "Check the cable and `ip link`.",
	"issuer not fetched":                                                                      "A certificate names where its issuer's is, and that cannot be had. Allow HTTP from this machine.",
	"revocation source failed":                                                                "An OCSP responder or a list cannot be had. Allow HTTP from this machine.",
	"unreadable file of learned entries renamed":                                              "The file of learned entries is broken. clearspan begins with none.",
	"secret of session tickets replaced":                                                      "The file could not be used. Clients make a full handshake once.",
	"session tickets end with the process":                                                    "The file cannot be locked or written. Clients make a full handshake after a restart. Make room in STATE.",
	"learned entries not saved":                                                               "Learned entries are lost at the next start. Make room in STATE.",
	"learned entry forgotten, the table is full":                                              "Raise `policy.learn.entries` or `client_entries`.",
	"client refuses our certificates for a host":                                              "Install the CA on the client, or tunnel the host by a rule.",
	"no handshake can be made with an origin":                                                 "See [reasons](reasons.md#ends-of-sessions), `origin-handshake`.",
	"origin asks for client certificates":                                                     "clearspan tunnels the origin from now on, by `policy.learn`.",
	"origin refuses fewer application protocols":                                              "clearspan offers the origin the client's list from now on.",

	"exempt addresses of an intake not replaced":                                    "After a reload, the kernel rules of an intake still have the old addresses. Reload again.",
	"too many exempt addresses for the rules of the kernel: the rest is not exempt": "Rules name more addresses than `limit`. `strays: reset` and `quic: block` hold for the rest, too.",
	"QUIC is not looked at":                                    "The kernel gives clearspan no copies of QUIC datagrams. `quic` holds, but such flows have no entry. See `err`.",
	"QUIC is refused before its name is known":                 "clearspan has no raw socket to answer with, see `err`, so that the kernel answers at once. Give it CAP_NET_RAW.",
	"a killed process takes the wire apart and cuts the cable": "clearspan runs in a mount namespace of its own. See `down_unsafe` of the intake `wire`.",
	"wire is not taken over":                                   "The process before this one still has the wire. Connections pass, or are blocked, as `down` says, when it ends. Restart clearspan.",
	"QUIC flow not refused":                                    "The flow passes against a rule. The kernel could not add it to its set, see `err`. `missed` counts flows that were not logged.",

	"authority ends soon": "The certificate of the CA `authority` ends within 30 days, or has ended. For `trusted`, run `clearspan ca rotate`. The message comes at each start and once a day.",
}

func TestReferenceOfLogs(t *testing.T) {
	of := cache(t)
	var all []message
	for _, dir := range packages(t) {
		all = append(all, messages(t, of(dir))...)
	}
	if len(all) < 85 {
		t.Errorf("only %d messages", len(all))
	}
	p := NewPage("Log messages",
		"clearspan writes its log to standard error: text on a terminal, JSON elsewhere. `clearspan run --log-level` sets the lowest level. Messages and keys are constant: search for them.",
		"The levels mean:")
	p.List(
		"`ERROR`: an operator must act.",
		"`WARN`: clearspan works with limits.",
		"`INFO`: starts, stops and changes.",
		"`DEBUG`: one message or more for each session.",
	)
	p.Text("Common keys: `session` is the identifier in the audit entry, `client` and `origin` are addresses, `iface` is a network interface, `err` is the error.")
	explained := make(map[string]bool)
	placed := 0
	for _, a := range areas {
		var in []message
		for _, m := range all {
			if regexp.MustCompile(`^(`+a.folders+`)$`).MatchString(m.dir) && area(m.dir) == a.title {
				in = append(in, m)
			}
		}
		placed += len(in)
		slices.SortStableFunc(in, func(a, b message) int {
			rank := func(m message) int {
				return slices.IndexFunc(logLevels, func(l string) bool { return strings.HasSuffix(m.level, l) })
			}
			return cmp.Or(rank(a)-rank(b), strings.Compare(a.text, b.text))
		})
		p.Section(a.title)
		if a.text != "" {
			p.Text(a.text)
		}
		var rows [][]string
		for _, m := range in {
			remedy := remedies[m.text]
			explained[m.text] = true
			if remedy == "" && (m.level == "ERROR" || strings.HasSuffix(m.level, "WARN")) {
				t.Errorf("%s: the message %q is not explained", m.dir, m.text)
			}
			row := []string{m.level, Code(m.text), Codes(m.keys), remedy}
			if !slices.ContainsFunc(rows, func(r []string) bool { return slices.Equal(r, row) }) {
				rows = append(rows, row)
			}
		}
		p.Table([]string{"level", "message", "keys", "meaning and what to do"}, rows)
	}
	for text := range remedies {
		if !explained[text] {
			t.Errorf("nothing logs the message %q", text)
		}
	}
	if placed != len(all) {
		t.Errorf("%d of %d messages are in no section", len(all)-placed, len(all))
	}
	p.Hold(t, "logs.md")
}

// TestQuotes: the messages that other pages quote are logged.
func TestQuotes(t *testing.T) {
	of := cache(t)
	logged := make(map[string]bool)
	for _, dir := range packages(t) {
		for _, m := range messages(t, of(dir)) {
			logged[m.text] = true
		}
	}
	for _, page := range []string{"audit.md", "metrics.md", "reasons.md"} {
		text, err := os.ReadFile(filepath.Join(Root(), folder, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range quote.FindAllStringSubmatch(string(text), -1) {
			if !logged[m[1]] {
				t.Errorf("%s quotes the message %q, which nothing logs", page, m[1])
			}
		}
	}
}

// quote is a message in another page.
var quote = regexp.MustCompile("log (?:line|message) `([^`]*)`")

// area returns the title of the section for a folder.
func area(dir string) string {
	for _, a := range areas {
		if regexp.MustCompile(`^(` + a.folders + `)$`).MatchString(dir) {
			return a.title
		}
	}
	return ""
}
