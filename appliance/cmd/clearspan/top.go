package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/clearspan/clearspan/appliance/control"
	"github.com/clearspan/clearspan/appliance/control/client"
)

func topCommand() *cobra.Command {
	var at box
	var once, asJSON bool
	var limit int
	var window time.Duration
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show the hosts, clients and rules with most of the traffic",
		Long: `Show the hosts, clients and rules with most of the traffic, by octets a second of all
their sessions. Each picture is measured over --window. On a terminal it is drawn
again and again, until interrupted.`,
		Example: `  clearspan top
  clearspan top --once --limit 5
  clearspan top --json | jq -r '.hosts[0].name'`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := cmd.OutOrStdout()
			f, _ := w.(*os.File)
			again := !once && !asJSON && f != nil && term.IsTerminal(int(f.Fd()))
			return at.ask(cmd, func(ctx context.Context, c *client.Client) error {
				for {
					t, err := c.Top(ctx, window, limit)
					if err != nil {
						return err
					}
					if asJSON {
						return json.NewEncoder(w).Encode(t)
					}
					var picture strings.Builder
					if err := showTop(&picture, newTable(w).width, &t); err != nil {
						return err
					}
					if !again {
						_, err := io.WriteString(w, picture.String())
						return err
					}
					fmt.Fprint(w, "\x1b[H\x1b[2J"+picture.String()) // ECMA-48: home, erase
				}
			})
		},
	}
	at.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&once, "once", false, "show one picture, also on a terminal")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	f.IntVar(&limit, "limit", 7, "show at most `N` of each")
	f.DurationVar(&window, "window", 2*time.Second, "how long a picture is measured, at most 10s")
	return cmd
}

// showTop draws a picture, in lines of a width.
func showTop(w io.Writer, width int, t *control.Top) error {
	fmt.Fprintf(w, "%s, %s new sessions a second, %s open\n", bits(t.Sum.Octets), rate(t.Sum.Began), grouped(t.Sum.Open))
	for _, part := range []struct {
		title string
		list  []control.Share
	}{{"HOST", t.Hosts}, {"CLIENT", t.Clients}, {"RULE", t.Rules}} {
		fmt.Fprintln(w)
		tab := &table{width: width, columns: []column{
			{title: "RATE", wide: 11, right: true}, {title: "NEW/S", wide: 6, right: true}, {title: "OPEN", wide: 6, right: true}, {title: part.title, least: 20},
		}}
		for _, s := range part.list {
			tab.row(bits(s.Octets), rate(s.Began), grouped(s.Open), s.Name)
		}
		if err := tab.write(w, false); err != nil {
			return err
		}
	}
	return nil
}
