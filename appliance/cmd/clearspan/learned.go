package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/control"
	"github.com/clearspan/clearspan/appliance/control/client"
	"github.com/clearspan/clearspan/decrypt/learn"
)

func learnedCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "learned",
		Short: "Show and change what the running appliance has learned",
		Long: `What the running appliance has learned: clients that refuse its certificates for a
host; origins that ask for client certificates, that refuse a shorter list of
application protocols, or with which no handshake succeeds.

These commands ask the appliance by its control socket. Changes need root or the user
of the appliance.`,
		Example: `  clearspan learned list -c /etc/clearspan/clearspan.yaml`,
	}
	var at box
	at.flags(cmd)
	list := listing(&at, &cobra.Command{
		Use:   "list",
		Short: "Show all entries",
		Long: `Show all entries. Sessions that match an entry are tunneled, unless the lesson only
alerts (policy.learn). Each entry names the client and the host, says why it was
learned, when it expires, and how often it was used.`,
		Example: `  clearspan learned list
  clearspan learned list --json | jq -r .id`,
	}, (*client.Client).Learned, showLearned)
	var undo, verbose bool
	pin := &cobra.Command{
		Use:   "pin ID",
		Short: "Keep an entry beyond its time, also where its lesson only alerts",
		Long: `Keep an entry. It does not expire, and its sessions are tunneled even if the lesson
only alerts. --undo takes that back.`,
		Example: `  clearspan learned pin 0123456789abcdef
  clearspan learned pin 0123456789abcdef --undo`,
		Args:              takes("ID"),
		ValidArgsFunction: at.completeLearned(),
		RunE: func(cmd *cobra.Command, id []string) error {
			err := changeLearned(&at, cmd, func(ctx context.Context, c *client.Client) error { return c.KeepLearned(ctx, id[0], !undo) })
			if err != nil {
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
		Example:           "  clearspan learned delete 0123456789abcdef",
		Args:              takes("ID"),
		ValidArgsFunction: at.completeLearned(),
		RunE: func(cmd *cobra.Command, id []string) error {
			err := changeLearned(&at, cmd, func(ctx context.Context, c *client.Client) error { return c.DeleteLearned(ctx, id[0]) })
			if err != nil {
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

// changeLearned changes an entry of the running box.
func changeLearned(at *box, cmd *cobra.Command, change func(context.Context, *client.Client) error) error {
	err := at.ask(cmd, change)
	if p, ok := errors.AsType[*control.Problem](err); ok && p.Type == control.TypeNotFound {
		return fmt.Errorf("%w: clearspan learned list shows all", err)
	}
	return err
}

// completeLearned completes identifiers of learned entries.
func (b *box) completeLearned() completion {
	return b.values(func(ctx context.Context, c *client.Client) (list []string, err error) {
		entries, err := c.Learned(ctx)
		for _, e := range entries {
			list = append(list, e.ID+"\t"+visible(string(e.Lesson)+" "+e.Host))
		}
		return list, err
	})
}

func showLearned(w io.Writer, entries []learn.Entry) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tLESSON\tCLIENT\tHOST\tDESTINATIONS\tWHY\tEXPIRES\tUSED")
	for _, e := range entries {
		whom, expires := "all", e.Expires.Local().Format(time.DateTime)
		if e.Client != (netip.Addr{}) {
			whom = e.Client.String()
		}
		if e.Kept {
			expires = "never"
		}
		var to []string
		for _, d := range e.Destinations {
			to = append(to, d.String())
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\n", e.ID, e.Lesson, whom, visible(e.Host), strings.Join(to, ","), visible(e.Why), expires, e.Used)
	}
	return table.Flush()
}
