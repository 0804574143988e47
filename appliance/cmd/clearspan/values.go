package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/control"
	"github.com/clearspan/clearspan/appliance/control/client"
	"github.com/clearspan/clearspan/appliance/query"
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
		return beginning(list, begun), cobra.ShellCompDirectiveNoFileComp
	}
}

// beginning returns the values that begin with what is there already.
func beginning(list []string, begun string) []string {
	return slices.DeleteFunc(list, func(v string) bool { return !strings.HasPrefix(v, begun) })
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

// completeQuery completes a term of a query: the field, then values that it has in the last
// sessions.
func (b *box) completeQuery() completion {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		negation, term := "", begun
		if rest, ok := strings.CutPrefix(begun, "-"); ok {
			negation, term = "-", rest
		}
		name, _, valued := strings.Cut(term, ":")
		i := slices.IndexFunc(query.Fields[:], func(f query.Field) bool { return f.Name == name })
		if !valued || i < 0 {
			var list []string
			for _, f := range query.Fields {
				if strings.HasPrefix(f.Name, term) {
					list = append(list, negation+f.Name+":\t"+f.About)
				}
			}
			return list, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		}
		field := query.Fields[i]
		terms := func(values []string) (list []string) {
			for _, v := range values {
				list = append(list, negation+field.Name+":"+v)
			}
			return list
		}
		if field.Words != nil {
			return beginning(terms(field.Words), begun), cobra.ShellCompDirectiveNoFileComp
		}
		return b.values(func(ctx context.Context, c *client.Client) ([]string, error) {
			list, err := lastValues(ctx, c, field)
			return terms(list), err
		})(cmd, args, begun)
	}
}

// lastValues returns the values that a field has in the last sessions, as a query takes
// them. It leaves out those that a query would have to quote.
func lastValues(ctx context.Context, c *client.Client, field query.Field) ([]string, error) {
	found, err := c.Sessions(ctx, "", maxLooked, "")
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool)
	for i := range found.Sessions {
		value := ""
		switch field.Kind {
		case query.Text, query.Words:
			value = found.Sessions[i].Text(field.ID)
		case query.Address:
			value = found.Sessions[i].Address(field.ID).Addr().String()
		}
		if value != "" && !strings.ContainsAny(value, " \t\"',()*") && visible(value) == value {
			seen[value] = true
		}
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

// maxLooked is how many sessions are looked at for values.
const maxLooked = 1000
