package main

import (
	"fmt"
	"io"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
)

func policyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "Look at the policy"}
	cmd.AddCommand(explainCommand())
	return cmd
}

func explainCommand() *cobra.Command {
	var file, client, origin, sni, host, protocol string
	var alpn []string
	cmd := &cobra.Command{
		Use:   "explain -c FILE --client ADDR --origin ADDR:PORT",
		Short: "Say what would happen to a session, and why",
		Example: `  clearspan policy explain -c clearspan.yaml --client 10.0.0.5 --origin 192.0.2.1:443 --sni www.bank.test
  clearspan policy explain -c clearspan.yaml --client 10.0.0.5 --origin 192.0.2.1:25 --protocol smtp`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(file)
			if err != nil {
				return badConfig(err)
			}
			table, err := appliance.NewPolicy(cfg)
			if err != nil {
				return badConfig(err)
			}
			facts := &policy.Facts{SNI: sni, Host: host, ALPN: alpn, Protocol: protocol}
			if facts.Client, err = parseClient(client); err != nil {
				return badConfig(fmt.Errorf("--client: %w", err))
			}
			if facts.Origin, err = netip.ParseAddrPort(origin); err != nil {
				return badConfig(fmt.Errorf("--origin: %w", err))
			}
			if protocol == "" {
				facts.Protocol = "tls"
			}
			facts.TLS = facts.Protocol == "tls" || sni != "" || len(alpn) > 0
			explain(cmd.OutOrStdout(), table, facts)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVarP(&file, "config", "c", "", "configuration `FILE`")
	f.StringVar(&client, "client", "", "client's `ADDR` or ADDR:PORT")
	f.StringVar(&origin, "origin", "", "original destination, `ADDR:PORT`")
	f.StringVar(&sni, "sni", "", "server `NAME` in the ClientHello")
	f.StringVar(&host, "host", "", "`NAME` in CONNECT, SOCKS or HTTP Host")
	f.StringSliceVar(&alpn, "alpn", nil, "application protocols the client offers, such as h2,http/1.1")
	f.StringVar(&protocol, "protocol", "", "application protocol, such as smtp (default tls)")
	for _, name := range []string{"config", "client", "origin"} {
		cmd.MarkFlagRequired(name)
	}
	return cmd
}

func parseClient(s string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(a, 0), nil
	}
	return netip.ParseAddrPort(s)
}

func explain(w io.Writer, table *policy.Table, facts *policy.Facts) {
	for _, step := range table.Explain(facts) {
		fmt.Fprintf(w, "  %s\n", step)
	}
	d := table.Decide(facts)
	if d.Action == policy.Bump && facts.TLS && (d.Treatment == nil || d.Treatment.Learn != string(learn.Off)) {
		fmt.Fprintln(w, "  learned: an entry may have it tunneled, see clearspan learned list")
	}
	fmt.Fprintf(w, "rule %s: %s", d.Rule, d.Action)
	if d.Treatment != nil {
		fmt.Fprintf(w, "; %s", d.Treatment)
	}
	fmt.Fprintln(w)
}
