package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/decrypt/policy"
)

func policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "policy",
		Short:   "Look at the policy",
		Long:    "Look at the policy: the rules that decide about sessions. Nothing is changed.",
		Example: "  clearspan policy explain -c clearspan.yaml --client 10.0.0.5 --origin 192.0.2.1:443 --sni www.bank.test",
	}
	cmd.AddCommand(explainCommand())
	return cmd
}

// question holds the flags of explain.
type question struct {
	at                            box
	capture, client, origin, time string
	json                          bool

	facts            policy.Facts
	events           []string
	names, issuers   []string
	path, method     string
	url              string
	untrusted, rules bool
}

func explainCommand() *cobra.Command {
	var q question
	cmd := &cobra.Command{
		Use:   "explain {--client ADDR --origin ADDR:PORT | --pcap FILE}",
		Short: "Say what would happen to a session, or to those of a capture, and why",
		Long: `Say what the policy does to a session.

With --client and --origin: every rule that does not decide, and why, then the rule
that decides. A condition on a fact that no flag gives is not met. The time is now,
unless --time gives another one. --path, --method and --url ask about a request
within the session, whose other facts are those of the session.

With --pcap: for each TCP connection of the capture (pcap or pcapng, - for standard
input) whether clearspan would decrypt it, by which rule, and which condition of the
rule it meets; then a summary.

The rules and lists are read from the configuration file. Without -c, the file is that
of the running appliance; if none runs, the built-in configuration counts. What the
appliance has learned is read from its state directory, and counts, too.

Exit status: 0 explained, 1 bad configuration or flag, 2 the capture cannot be read.`,
		Example: `  clearspan policy explain -c clearspan.yaml --client 10.0.0.5 --origin 192.0.2.1:443 --sni www.bank.test
  clearspan policy explain -c clearspan.yaml --client 10.0.0.5 --origin 192.0.2.1:25 --protocol smtp
  clearspan policy explain -c clearspan.yaml --client 10.0.0.5 --origin 192.0.2.1:443 --issuer "Example CA" --time 2026-01-02T23:00:00Z
  clearspan policy explain -c clearspan.yaml --client 10.0.0.5 --origin 192.0.2.1:443 --method POST --url https://www.example.test/upload/x
  clearspan policy explain -c clearspan.yaml --pcap office.pcap`,
		Args: cobra.MatchAll(takes(), asksOneThing),
		RunE: func(cmd *cobra.Command, _ []string) error { return q.answer(cmd) },
	}
	q.at.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&q.json, "json", false, "print JSON: one object, or one a connection and a last one with the summary")
	f.StringVar(&q.capture, "pcap", "", "explain the connections of capture `FILE`")
	f.BoolVar(&q.rules, "rules", false, "with --pcap: show the rules that do not decide, too")
	f.StringVar(&q.client, "client", "", "address of the client, `ADDR` or ADDR:PORT")
	f.StringVar(&q.origin, "origin", "", "original destination, `ADDR:PORT`")
	f.StringVar(&q.facts.SNI, "sni", "", "server `NAME` in the ClientHello")
	f.StringVar(&q.facts.Host, "host", "", "`NAME` in CONNECT, SOCKS or HTTP Host")
	f.StringSliceVar(&q.facts.ALPN, "alpn", nil, "application `PROTOCOLS` that the client offers, such as h2,http/1.1")
	f.StringVar(&q.facts.Protocol, "protocol", "", "application `PROTOCOL`, such as smtp (default tls)")
	f.StringVar(&q.facts.JA4, "ja4", "", "`FINGERPRINT` of the ClientHello")
	f.StringVar(&q.facts.Intake, "intake", "", "`NAME` of the intake")
	f.StringVar(&q.time, "time", "", "`TIME` of the session, such as 2026-01-02T23:00:00Z (default now)")
	f.StringSliceVar(&q.events, "event", nil, "`EVENT` of the session, such as no-sni or ech")
	f.StringSliceVar(&q.names, "origin-name", nil, "`NAME` in the origin's certificate")
	f.StringArrayVar(&q.issuers, "issuer", nil, "`NAME` of the issuer of the origin's certificate")
	f.StringVar(&q.path, "path", "", "`PATH` of a request within the session")
	f.StringVar(&q.method, "method", "", "`METHOD` of a request within the session (default GET)")
	f.StringVar(&q.url, "url", "", "`URL` of a request within the session: host and path")
	f.BoolVar(&q.untrusted, "untrusted", false, "the origin's certificate fails verification")
	cmd.MarkFlagsOneRequired("pcap", "client")
	cmd.MarkFlagsMutuallyExclusive("pcap", "client")
	cmd.MarkFlagsMutuallyExclusive("pcap", "origin")
	cmd.MarkFlagsMutuallyExclusive("path", "url")
	return cmd
}

// asksOneThing refuses a command line that asks about no session, or about one
// session and a capture.
func asksOneThing(cmd *cobra.Command, _ []string) error {
	set := cmd.Flags().Changed
	switch {
	case !set("pcap") && !set("client"):
		return errors.New("requires --client ADDR and --origin ADDR:PORT, or --pcap FILE")
	case !set("pcap") && !set("origin"):
		return errors.New("requires --origin ADDR:PORT beside --client")
	case !set("pcap") && set("rules"):
		return errors.New("--rules needs --pcap; about one session every rule is shown")
	case !set("pcap"):
		return nil
	}
	for _, fact := range []string{"client", "origin", "sni", "host", "alpn", "protocol", "ja4", "time", "event", "origin-name", "issuer", "untrusted", "path", "method", "url"} {
		if set(fact) {
			return fmt.Errorf("--%s does not apply to --pcap: the facts are those of the capture", fact)
		}
	}
	return nil
}

// complete reads the flags that are not facts as they stand.
func (q *question) complete() (err error) {
	f := &q.facts
	if f.Client, err = parseClient(q.client); err != nil {
		return fmt.Errorf("--client: %q is no address such as 10.0.0.5 or 10.0.0.5:50000", q.client)
	}
	if f.Origin, err = netip.ParseAddrPort(q.origin); err != nil {
		return fmt.Errorf("--origin: %q is no address and port such as 192.0.2.1:443%s", q.origin, isName(q.origin))
	}
	f.Time = time.Now()
	if q.time != "" {
		if f.Time, err = time.Parse(time.RFC3339, q.time); err != nil {
			return fmt.Errorf("--time: %q is no time such as 2026-01-02T23:00:00Z", q.time)
		}
	}
	for _, name := range q.events {
		e, err := policy.ParseEvent(name)
		if err != nil {
			return fmt.Errorf("--event: %w%s", err, meant(name, policy.EventNames()))
		}
		f.Events = f.Events.With(e)
	}
	if err := q.request(); err != nil {
		return err
	}
	if f.Protocol == "" {
		f.Protocol = "tls"
	}
	f.TLS = f.Protocol == "tls" || f.SNI != "" || len(f.ALPN) > 0 || f.JA4 != ""
	if len(q.names)+len(q.issuers) > 0 || q.untrusted {
		f.Certificate = &policy.Certificate{Names: q.names, Issuers: q.issuers, Trusted: !q.untrusted}
		f.TLS = true
	}
	return nil
}

// isName says where a name belongs that stands in place of an address.
func isName(origin string) string {
	host, _, err := net.SplitHostPort(origin)
	if err != nil {
		host = origin
	}
	if _, err := netip.ParseAddr(host); err == nil || !strings.ContainsFunc(host, unicode.IsLetter) {
		return ""
	}
	return ": names go to --sni or --host"
}

// request reads the flags about a request within the session.
func (q *question) request() error {
	if q.path == "" && q.method == "" && q.url == "" {
		return nil
	}
	r := &policy.Request{Method: cmp.Or(q.method, "GET")}
	target := q.path
	if q.url != "" {
		u, err := url.Parse(q.url)
		if err != nil || u.Host == "" {
			return fmt.Errorf("--url: %q is no address such as https://www.example.test/path", q.url)
		}
		r.Host, target = u.Hostname(), u.EscapedPath()
		q.facts.Host = r.Host
	}
	r.SetTarget([]byte(target))
	q.facts.Request = r
	return nil
}

func parseClient(s string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(a, 0), nil
	}
	return netip.ParseAddrPort(s)
}
