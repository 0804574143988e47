package main

import (
	"io"

	"github.com/spf13/cobra"
)

// completionCommand replaces cobra's command of the same name.
func completionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "completion",
		Short: "Print the script that completes command lines in a shell",
		Long: `Print the script that completes command lines in a shell: names of commands, flags
and files. bash needs the package bash-completion for it.`,
		Example: "  source <(clearspan completion bash)",
	}
	for _, shell := range []struct {
		name, example string
		write         func(root *cobra.Command, w io.Writer, descriptions bool) error
	}{
		{
			"bash", `  source <(clearspan completion bash)                                      # this shell
  clearspan completion bash > /etc/bash_completion.d/clearspan             # every later shell`,
			func(root *cobra.Command, w io.Writer, descriptions bool) error {
				return root.GenBashCompletionV2(w, descriptions)
			},
		},
		{
			"zsh", `  source <(clearspan completion zsh)                                       # this shell
  clearspan completion zsh > /usr/local/share/zsh/site-functions/_clearspan   # every later shell`,
			func(root *cobra.Command, w io.Writer, descriptions bool) error {
				if descriptions {
					return root.GenZshCompletion(w)
				}
				return root.GenZshCompletionNoDesc(w)
			},
		},
		{
			"fish", `  clearspan completion fish | source                                       # this shell
  clearspan completion fish > ~/.config/fish/completions/clearspan.fish    # every later shell`,
			func(root *cobra.Command, w io.Writer, descriptions bool) error {
				return root.GenFishCompletion(w, descriptions)
			},
		},
		{
			"powershell", `  clearspan completion powershell | Out-String | Invoke-Expression`,
			func(root *cobra.Command, w io.Writer, descriptions bool) error {
				if descriptions {
					return root.GenPowerShellCompletionWithDesc(w)
				}
				return root.GenPowerShellCompletion(w)
			},
		},
	} {
		var plain bool
		one := &cobra.Command{
			Use:     shell.name,
			Short:   "Print the script for " + shell.name,
			Long:    "Print the script for " + shell.name + ". The shell must read it before it completes command lines.",
			Example: shell.example,
			Args:    takes(),
			RunE: func(cmd *cobra.Command, _ []string) error {
				return shell.write(cmd.Root(), cmd.OutOrStdout(), !plain)
			},
		}
		one.Flags().BoolVar(&plain, "no-descriptions", false, "complete without descriptions of commands and flags")
		cmd.AddCommand(one)
	}
	return cmd
}
