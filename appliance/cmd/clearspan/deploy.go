package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/deploy"
)

func deployCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deploy",
		Short: "Make what an installation has beside the program",
		Long: `Make what an installation has beside the program: the unit of systemd with its
bounds, and manual pages. Packages of clearspan have them already; what depends
on the configuration is made again by clearspan deploy systemd.`,
		Example: "  clearspan deploy systemd -c /etc/clearspan/clearspan.yaml",
	}
	cmd.AddCommand(deploySystemdCommand(), deployManCommand())
	return cmd
}

func deploySystemdCommand() *cobra.Command {
	var file, to string
	var show bool
	cmd := &cobra.Command{
		Use:   "systemd -c FILE",
		Short: "Bound the systemd service by what a configuration needs",
		Long: `Write the drop-in of clearspan.service that bounds the service by what a
configuration needs. Run it after a change of intakes, of mirrors, of inline
services, or of paths.

Profiles:
  proxy    user clearspan, no capability, a file system of its own: explicit and static
           intakes on ports from 1024
  gateway  named capabilities, a file system of its own: tproxy, redirect, mirror ports,
           ports below 1024
  wire     named capabilities, the file systems of the machine: wires, inline services

If no package installed the unit clearspan.service, this command writes it, too, for
the program at its present path. systemd reads the files after systemctl daemon-reload;
they bound the service from its next start on.

Exit status: 0 written, 1 bad configuration, 2 not written.`,
		Example: `  clearspan deploy systemd -c /etc/clearspan/clearspan.yaml
  clearspan deploy systemd -c /etc/clearspan/clearspan.yaml --print`,
		DisableFlagsInUseLine: true,
		Args:                  cobra.MatchAll(takes(), requiresConfig, excludes("print", "to")),
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := filepath.Abs(file)
			if err != nil {
				return err
			}
			cfg, err := config.Load(path)
			if err != nil {
				return badConfig(err)
			}
			return writeUnit(cmd.OutOrStdout(), cfg, path, to, show)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&file, "config", "c", "", "configuration `FILE`")
	f.StringVar(&to, "to", "/etc/systemd/system", "write below `DIR`")
	f.BoolVar(&show, "print", false, "print the drop-in, and write nothing")
	cmd.MarkFlagRequired("config")
	return cmd
}

// packagedUnit is where packages install the unit.
const packagedUnit = "/lib/systemd/system/" + deploy.UnitName

// writeUnit writes what systemd needs for a configuration, and says what is left to do.
func writeUnit(w io.Writer, cfg *config.Config, file, to string, show bool) error {
	program, packaged := deploy.Program, true
	if _, err := os.Stat(packagedUnit); err != nil {
		packaged = false
		if program, err = os.Executable(); err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
	}
	text, notes := deploy.DropIn(cfg, file, program)
	if show {
		_, err := io.WriteString(w, text)
		return err
	}
	var err error
	if !packaged {
		err = writeFile(w, filepath.Join(to, deploy.UnitName), deploy.Unit(program))
	}
	err = errors.Join(err, writeFile(w, filepath.Join(to, deploy.UnitName+".d", deploy.DropInName), text))
	if err != nil {
		return err
	}
	p, why := deploy.Choose(cfg)
	if why != "" {
		why = ", since " + why
	}
	fmt.Fprintf(w, "profile: %s%s\n", p, why)
	for _, note := range notes {
		fmt.Fprintln(w, "to do:", note)
	}
	fmt.Fprintln(w, "to do: systemctl daemon-reload && systemctl restart clearspan")
	return nil
}

// writeFile puts a file in the place of one of its name, and says so.
func writeFile(w io.Writer, name, text string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	next := name + ".new"
	if err := os.WriteFile(next, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(next, name); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err := fmt.Fprintln(w, "written:", name)
	return err
}
