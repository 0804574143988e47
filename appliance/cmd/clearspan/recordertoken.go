package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/recorder/api"
)

func recorderTokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Say who may ask a recorder over HTTP",
		Long: `Give, list and take back the tokens that requests to "recorder run --api" need. A token has
a name, which stands in the log of accesses, and roles:

  viewer        sees events, sessions, files and findings, without contents
  investigator  sees contents, and must say for which case and why
  auditor       sees who looked at what, and verifies

No role has another one in it. Of a token, only the hash is kept.`,
		Example: "  clearspan recorder token add alice --directory rec --role viewer,investigator",
	}
	cmd.AddCommand(tokenAddCommand(), tokenListCommand(), tokenRemoveCommand())
	return cmd
}

func tokenAddCommand() *cobra.Command {
	var dir string
	var roles []string
	var days int
	cmd := &cobra.Command{
		Use:     "add NAME",
		Short:   "Make a token, and print it",
		Long:    "Make a token, and print it. It is not shown again.",
		Example: "  clearspan recorder token add alice --directory rec --role viewer",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var list []api.Role
			for _, r := range roles {
				list = append(list, api.Role(r))
			}
			if days < 1 || days > 3650 {
				return badConfig(fmt.Errorf("--days: want 1 to 3650"))
			}
			token, err := api.OpenTokens(dir).Add(args[0], list, time.Duration(days)*24*time.Hour)
			if err != nil {
				return badConfig(err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
			return err
		},
	}
	f := cmd.Flags()
	directoryFlag(cmd, &dir)
	f.StringSliceVar(&roles, "role", nil, "`ROLE`: viewer, investigator or auditor; several with commas")
	f.IntVar(&days, "days", 90, "it expires after `N` days")
	cmd.MarkFlagRequired("role")
	return cmd
}

func tokenListCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the tokens",
		Long:    "List the tokens: name, roles, and when each expires.",
		Example: "  clearspan recorder token list --directory rec",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := api.OpenTokens(dir).List()
			if err != nil {
				return err
			}
			for _, t := range list {
				var roles []string
				for _, r := range t.Roles {
					roles = append(roles, string(r))
				}
				state := "until"
				if time.Now().After(t.Expires) {
					state = "expired"
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%-20s %-30s %s %s\n", visible(t.Name), strings.Join(roles, ","), state, t.Expires.Local().Format(time.DateTime))
			}
			return nil
		},
	}
	directoryFlag(cmd, &dir)
	return cmd
}

func tokenRemoveCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "remove NAME",
		Short:   "Take a token back, at once",
		Long:    "Take a token back. The next request with it is refused.",
		Example: "  clearspan recorder token remove alice --directory rec",
		Args:    takes("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := api.OpenTokens(dir).Remove(args[0]); err != nil {
				return badConfig(err)
			}
			return nil
		},
	}
	directoryFlag(cmd, &dir)
	return cmd
}
