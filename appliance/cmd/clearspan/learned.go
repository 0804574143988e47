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
host; origins that ask for client certificates, that refuse a shorter list of
application protocols, or with which no handshake succeeds.

These commands ask the appliance at its address of admin.listen, and change entries
only from the same machine.`,
		Example: `  clearspan learned list -c /etc/clearspan.yaml`,
	}
	var at target
	cmd.PersistentFlags().StringVarP(&at.file, "config", "c", "", "configuration `FILE` of the running appliance")
	var asJSON bool
	list := &cobra.Command{
		Use:   "list",
		Short: "Show all entries",
		Long: `Show all entries. Sessions that match an entry are tunneled, unless the lesson only
alerts (policy.learn). Each entry names the client and the host, says why it was
learned, when it expires, and how often it was used.`,
		Example: `  clearspan learned list
  clearspan learned list --json | jq -r .id`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			body, err := at.request("GET", "/api/learned", "")
			if err != nil {
				return err
			}
			return showLearned(cmd.OutOrStdout(), body, asJSON)
		},
	}
	list.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	var undo, verbose bool
	pin := &cobra.Command{
		Use:   "pin ID",
		Short: "Keep an entry beyond its time, also where its lesson only alerts",
		Long: `Keep an entry. It does not expire, and its sessions are tunneled even if the lesson
only alerts. --undo takes that back.`,
		Example: `  clearspan learned pin 0123456789abcdef
  clearspan learned pin 0123456789abcdef --undo`,
		Args: takes("ID"),
		RunE: func(cmd *cobra.Command, id []string) error {
			if err := at.change("POST", id[0], fmt.Sprintf(`{"kept":%t}`, !undo)); err != nil {
				return err
			}
			if undo {
				return told(cmd, verbose, "entry %s expires again", id[0])
			}
			return told(cmd, verbose, "entry %s is pinned: such sessions pass undecrypted until clearspan learned pin --undo", id[0])
		},
	}
	pin.Flags().BoolVar(&undo, "undo", false, "let the entry expire again")
	remove := &cobra.Command{
		Use:   "delete ID",
		Short: "Forget an entry",
		Long: `Forget an entry. Its next session is decrypted again, and may teach the same lesson
again.`,
		Example: "  clearspan learned delete 0123456789abcdef",
		Args:    takes("ID"),
		RunE: func(cmd *cobra.Command, id []string) error {
			if err := at.change("DELETE", id[0], ""); err != nil {
				return err
			}
			return told(cmd, verbose, "entry %s is forgotten: its next session is decrypted", id[0])
		},
	}
	verboseFlag(pin, &verbose)
	verboseFlag(remove, &verbose)
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
