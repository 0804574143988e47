package main

import (
	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/config"
)

func configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print configuration files to start from, and the schema for editors",
		Long: `Print configuration files to start from, and the schema for editors. Nothing is
changed.

A file that begins with "base: default" needs only the sections that it changes.`,
		Example: `  clearspan config default > clearspan.yaml
  clearspan check -c clearspan.yaml`,
	}
	cmd.AddCommand(
		printsCommand(&cobra.Command{
			Use:   "default",
			Short: "Print the built-in configuration",
			Long: `Print the built-in configuration: what clearspan run does without a file. Save it,
change it, and start clearspan with it. The state directory is left to the user that
starts clearspan.`,
			Example: "  clearspan config default > clearspan.yaml",
		}, func() []byte { return config.BuiltIn }),
		printsCommand(&cobra.Command{
			Use:   "example",
			Short: "Print a file with every key, its default and what it does",
			Long: `Print a file with every key, its default or an example, and what it does. The file is
for reading and copying: it has every kind of intake, mirror and service.`,
			Example: "  clearspan config example | less",
		}, func() []byte { return config.Example }),
		printsCommand(&cobra.Command{
			Use:   "schema",
			Short: "Print the JSON Schema of the configuration file",
			Long: `Print the JSON Schema (draft 2020-12) of the configuration file. Editors with a YAML
language server complete and check keys by it, if the first line of the file is

  # yaml-language-server: $schema=clearspan.schema.json`,
			Example: "  clearspan config schema > clearspan.schema.json",
		}, config.Schema),
	)
	return cmd
}

// printsCommand completes cmd: it prints a text.
func printsCommand(cmd *cobra.Command, text func() []byte) *cobra.Command {
	cmd.Args = takes()
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		_, err := cmd.OutOrStdout().Write(text())
		return err
	}
	return cmd
}
