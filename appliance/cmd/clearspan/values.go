package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/control"
	"github.com/clearspan/clearspan/appliance/control/client"
)

// completionTimeout is how long a shell may wait for values of the running box.
const completionTimeout = 2 * time.Second

// completion is what completes an argument or a flag.
type completion = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective)

// values returns a completion with values that the running box knows. It offers nothing if
// none can be asked.
func (b *box) values(ask func(context.Context, *client.Client) ([]string, error)) completion {
	return func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		c, err := b.open()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer c.Close()
		ctx, cancel := context.WithTimeout(context.Background(), completionTimeout)
		defer cancel()
		list, err := ask(ctx, c)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var fit []string
		for _, v := range list {
			if strings.HasPrefix(v, begun) {
				fit = append(fit, v)
			}
		}
		return fit, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeSessions completes identifiers of sessions that match a query.
func (b *box) completeSessions(asked string) completion {
	return b.values(func(ctx context.Context, c *client.Client) (list []string, err error) {
		found, err := c.Sessions(ctx, asked, control.DefaultList, "")
		for i := range found.Sessions {
			r := &found.Sessions[i]
			list = append(list, r.Session+"\t"+r.Client.Addr().String()+" to "+visible(hostOf(r)))
		}
		return list, err
	})
}
