package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/explain"
	"github.com/clearspan/clearspan/decrypt/policy"
)

func policyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "Look at the policy"}
	cmd.AddCommand(explainCommand())
	return cmd
}

// question holds the flags of explain.
type question struct {
	file, capture, client, origin, time string

	facts            policy.Facts
	events           []string
	names, issuers   []string
	untrusted, rules bool
}

func explainCommand() *cobra.Command {
	var q question
	cmd := &cobra.Command{
		Use:   "explain -c FILE {--client ADDR --origin ADDR:PORT | --pcap FILE}",
		Short: "Say what would happen to a session, or to those of a capture, and why",
		Long: `Say what the policy does to a session: every rule that is passed over, and why,
then the one that decides. Facts that no flag gives are not known, and conditions
on them are not met; time is now.

With --pcap, for each TCP connection of a capture (pcap or pcapng, - for standard
input): whether it would be decrypted, by which rule, and what of it the rule asks
for; then a summary. The lists of the configuration are read as the appliance does.`,
		Example: `  clearspan policy explain -c clearspan.yaml --client 10.0.0.5 --origin 192.0.2.1:443 --sni www.bank.test
  clearspan policy explain -c clearspan.yaml --client 10.0.0.5 --origin 192.0.2.1:25 --protocol smtp
  clearspan policy explain -c clearspan.yaml --client 10.0.0.5 --origin 192.0.2.1:443 --issuer "Example CA" --time 2026-01-02T23:00:00Z
  clearspan policy explain -c clearspan.yaml --pcap office.pcap`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return q.answer(cmd) },
	}
	f := cmd.Flags()
	f.StringVarP(&q.file, "config", "c", "", "configuration `FILE`")
	f.StringVar(&q.capture, "pcap", "", "capture `FILE`, in place of the facts of one session")
	f.BoolVar(&q.rules, "rules", false, "with --pcap: every rule that is passed over, too")
	f.StringVar(&q.client, "client", "", "client's `ADDR` or ADDR:PORT")
	f.StringVar(&q.origin, "origin", "", "original destination, `ADDR:PORT`")
	f.StringVar(&q.facts.SNI, "sni", "", "server `NAME` in the ClientHello")
	f.StringVar(&q.facts.Host, "host", "", "`NAME` in CONNECT, SOCKS or HTTP Host")
	f.StringSliceVar(&q.facts.ALPN, "alpn", nil, "application protocols the client offers, such as h2,http/1.1")
	f.StringVar(&q.facts.Protocol, "protocol", "", "application protocol, such as smtp (default tls)")
	f.StringVar(&q.facts.JA4, "ja4", "", "`FINGERPRINT` of the ClientHello")
	f.StringVar(&q.facts.Intake, "intake", "", "`NAME` of the intake")
	f.StringVar(&q.time, "time", "", "`TIME` of the session, such as 2026-01-02T23:00:00Z (default now)")
	f.StringSliceVar(&q.events, "event", nil, "`EVENT` of the session, such as no-sni or ech")
	f.StringSliceVar(&q.names, "origin-name", nil, "`NAME` in the origin's certificate")
	f.StringArrayVar(&q.issuers, "issuer", nil, "`NAME` of its issuer")
	f.BoolVar(&q.untrusted, "untrusted", false, "the origin's certificate fails verification")
	cmd.MarkFlagRequired("config")
	cmd.MarkFlagsOneRequired("pcap", "client")
	cmd.MarkFlagsMutuallyExclusive("pcap", "client")
	cmd.MarkFlagsMutuallyExclusive("pcap", "origin")
	return cmd
}

func (q *question) answer(cmd *cobra.Command) error {
	cfg, err := config.Load(q.file)
	if err != nil {
		return badConfig(err)
	}
	table, err := appliance.NewPolicy(cfg)
	if err != nil {
		return badConfig(err)
	}
	if q.capture != "" {
		return q.look(cmd, table)
	}
	if err := q.complete(); err != nil {
		return badConfig(err)
	}
	explain.Session(cmd.OutOrStdout(), table, &q.facts)
	for _, door := range cfg.OpenDoors() {
		fmt.Fprintln(cmd.OutOrStdout(), "open door:", door)
	}
	return nil
}

// look answers for a capture.
func (q *question) look(cmd *cobra.Command, table *policy.Table) error {
	in := os.Stdin
	if q.capture != "-" {
		f, err := os.Open(q.capture)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	out := cmd.OutOrStdout()
	summary, err := explain.Capture(out, table, in, explain.Options{Intake: q.facts.Intake, Rules: q.rules})
	return errors.Join(summary.WriteText(out), err)
}

// complete reads the flags that are not facts as they stand.
func (q *question) complete() (err error) {
	f := &q.facts
	if f.Client, err = parseClient(q.client); err != nil {
		return fmt.Errorf("--client: %w", err)
	}
	if f.Origin, err = netip.ParseAddrPort(q.origin); err != nil {
		return fmt.Errorf("--origin: %w", err)
	}
	f.Time = time.Now()
	if q.time != "" {
		if f.Time, err = time.Parse(time.RFC3339, q.time); err != nil {
			return fmt.Errorf("--time: want a time such as 2026-01-02T23:00:00Z, not %q", q.time)
		}
	}
	for _, name := range q.events {
		e, err := policy.ParseEvent(name)
		if err != nil {
			return fmt.Errorf("--event: %w", err)
		}
		f.Events = f.Events.With(e)
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

func parseClient(s string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(a, 0), nil
	}
	return netip.ParseAddrPort(s)
}
