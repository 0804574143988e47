package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/decrypt/learn"
)

func learnedCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "learned",
		Short: "Show and change what the running appliance has learned",
		Long: `What the running appliance has learned: clients that refuse its certificates for a
host, origins that ask for client certificates, that take no fewer application
protocols, or with which no handshake can be made. The appliance is asked at its
address of admin.listen.`,
	}
	var at target
	cmd.PersistentFlags().StringVarP(&at.file, "config", "c", "", "configuration `FILE` of the running appliance")
	var asJSON bool
	list := &cobra.Command{
		Use:   "list",
		Short: "Show all entries",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			body, err := at.request("GET", "/api/learned", "")
			if err != nil {
				return err
			}
			return showLearned(cmd.OutOrStdout(), body, asJSON)
		},
	}
	list.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	var undo bool
	pin := &cobra.Command{
		Use:   "pin ID",
		Short: "Keep an entry beyond its time, also where its lesson only alerts",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, id []string) error {
			_, err := at.request("POST", "/api/learned/"+id[0], fmt.Sprintf(`{"kept":%t}`, !undo))
			return err
		},
	}
	pin.Flags().BoolVar(&undo, "undo", false, "have it expire again")
	remove := &cobra.Command{
		Use:   "delete ID",
		Short: "Forget an entry",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, id []string) error {
			_, err := at.request("DELETE", "/api/learned/"+id[0], "")
			return err
		},
	}
	cmd.AddCommand(list, pin, remove)
	return cmd
}

func showLearned(w io.Writer, body []byte, asJSON bool) error {
	var answer struct{ Entries []learn.Entry }
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("read entries: %w", err)
	}
	if asJSON {
		for _, e := range answer.Entries {
			if err := json.NewEncoder(w).Encode(e); err != nil {
				return err
			}
		}
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tLESSON\tCLIENT\tHOST\tDESTINATIONS\tWHY\tEXPIRES\tUSED")
	for _, e := range answer.Entries {
		client, expires := "all", e.Expires.Local().Format(time.DateTime)
		if e.Client != (netip.Addr{}) {
			client = e.Client.String()
		}
		if e.Kept {
			expires = "never"
		}
		var to []string
		for _, d := range e.Destinations {
			to = append(to, d.String())
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\n", e.ID, e.Lesson, client, e.Host, strings.Join(to, ","), e.Why, expires, e.Used)
	}
	return table.Flush()
}
