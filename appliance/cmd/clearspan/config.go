package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/config"
)

func configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Configuration files to start from, the schema for editors, and order in files",
		Long: `Configuration files to start from, the schema for editors, and order in files.

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
		formatCommand(),
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

func formatCommand() *cobra.Command {
	var write, check, verbose bool
	cmd := &cobra.Command{
		Use:   "format FILE",
		Short: "Put a configuration file in order; comments stay",
		Long: `Put a configuration file in order: keys as in the reference, two columns of
indentation a level. Comments stay with the key below them, or on the line that they
end. Tables in braces stay as they are. The result goes to standard output, or with
--write into the file.

A file with faults is refused, as clearspan check does.

Exit status: 0 done, 1 the file has a fault, or --check and it is not in order.`,
		Example: `  clearspan config format /etc/clearspan/clearspan.yaml
  clearspan config format --write /etc/clearspan/clearspan.yaml`,
		Args: cobra.MatchAll(takes("FILE"), excludes("write", "check")),
		RunE: func(cmd *cobra.Command, args []string) error {
			file := args[0]
			if _, err := config.Load(file); err != nil {
				return badConfig(err)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				return badConfig(err)
			}
			ordered, err := config.Format(data)
			if err != nil {
				return badConfig(fmt.Errorf("%s: %w", file, err))
			}
			same := bytes.Equal(data, ordered)
			switch {
			case check && !same:
				return badConfig(fmt.Errorf("%s is not in order: clearspan config format --write %s", file, file))
			case check:
				return nil
			case !write:
				_, err := cmd.OutOrStdout().Write(ordered)
				return err
			case same:
				return told(cmd, verbose, "%s was in order", file)
			}
			if err := replace(file, ordered); err != nil {
				return err
			}
			return told(cmd, verbose, "%s is in order now", file)
		},
	}
	cmd.Flags().BoolVarP(&write, "write", "w", false, "write the result into the file")
	cmd.Flags().BoolVar(&check, "check", false, "only tell whether the file is in order")
	verboseFlag(cmd, &verbose)
	return cmd
}

// replace puts data in place of a file, whole or not at all. The new one has the mode of
// the old one, and its owner as far as the user may give files away.
func replace(file string, data []byte) error {
	file, err := filepath.EvalSymlinks(file)
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".clearspan-*.yaml")
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	defer os.Remove(f.Name()) // unless it was renamed
	defer f.Close()
	if _, err = io.Copy(f, bytes.NewReader(data)); err == nil {
		err = f.Chmod(info.Mode().Perm())
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && err == nil && os.Geteuid() == 0 {
		err = f.Chown(int(s.Uid), int(s.Gid))
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}
