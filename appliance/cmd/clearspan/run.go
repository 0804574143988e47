package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/clearspan/clearspan/appliance/config"
)

func runCommand() *cobra.Command {
	var file, level, profile string
	var drain time.Duration
	var quiet bool
	var quick config.Quick
	cmd := &cobra.Command{
		Use:        "run",
		SuggestFor: []string{"start", "serve", "up"},
		Short:      "Run the appliance in the foreground",
		Long: `Run the appliance in the foreground.

Without -c and without flags for quick use, the appliance has:
  proxy      127.0.0.1:8080 for HTTP CONNECT, plain HTTP and SOCKS5
  live feed  127.0.0.1:57012 (nc 127.0.0.1 57012 | tcpdump -nr -)
  console    127.0.0.1:8090 with health and metrics
  captures   files in STATE/pcap
  authority  files in STATE/authority, created at the first start
STATE is /var/lib/clearspan for root, ~/.local/state/clearspan for other users.
This needs no root. Clients of the proxy find the authority's certificate on
http://clearspan.internal/.

Flags for quick use replace parts of that: --listen and --static the proxy; --pcap,
--interface and --pcap-over-ip the captures and the live feed; --admin the console;
--roots the system's roots; --state STATE. --publish adds a page with the authority's
certificate. If another program has a port of the list above, and no flag names an
address, clearspan takes the next free port and logs it. clearspan config default
prints the list as a file.

When everything is open, clearspan gives up what it no longer needs. A start as root
becomes the user clearspan, if there is one, else a user without a name. What stays
is in the log: "privileges dropped".
If the authority's key is encrypted, the passphrase comes from
authority.passphrase_file, from the systemd credential authority-passphrase, or
from the terminal.

On a terminal, clearspan says what to do first, and then a line for each session that
ends. Warnings and errors stand between them. --log-level info has it log the rest,
too. --quiet leaves the lines out.

Signals:
  SIGHUP           Read the configuration and the authorities again. If the file is
                   bad, the running configuration stays.
  SIGTERM, SIGINT  Accept no more sessions, and end when the open ones have ended,
                   at the latest after --drain, or drain in the file. A second signal ends at once.

Exit status: 0 ended by a signal, 1 bad configuration, 2 failure at run time.`,
		Example: `  clearspan run
  clearspan run -c /etc/clearspan/clearspan.yaml
  clearspan run --static 127.0.0.1:10443,192.0.2.10:443 --pcap ./captures`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file != "" && quick.Set() {
				return badConfig(errors.New("-c and the flags for quick use exclude each other: write their values into the file"))
			}
			show := term.IsTerminal(int(os.Stderr.Fd()))
			if show && !quiet && !cmd.Flags().Changed("log-level") {
				level = "warn" // the screen says the rest
			}
			log, err := newLogger(level)
			if err != nil {
				return badConfig(err)
			}
			if !cmd.Flags().Changed("drain") {
				drain = asConfigured
			} else if drain < 0 {
				return badConfig(errors.New("--drain: want no negative duration"))
			}
			return run(&start{File: file, Quick: quick, Level: level, Profile: profile, Drain: drain, Screen: show && !quiet}, log)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&file, "config", "c", "", "configuration `FILE`")
	f.StringVar(&quick.Listen, "listen", "", "listen on `ADDR` as an explicit proxy")
	f.StringArrayVar(&quick.Static, "static", nil, "send connections to LISTEN on to ORIGIN: `LISTEN,ORIGIN`; repeatable")
	f.StringVar(&quick.PCAP, "pcap", "", "write pcapng files into `DIR`")
	f.StringVar(&quick.Interface, "interface", "", "mirror onto network interface `IF` (needs CAP_NET_RAW)")
	f.StringVar(&quick.PCAPOverIP, "pcap-over-ip", "", "serve the live feed on `ADDR`")
	f.StringVar(&quick.State, "state", "", "keep state in `DIR`")
	f.StringSliceVar(&quick.Roots, "roots", nil, "trust origins by these PEM `FILES`; system stands for the roots of this machine")
	f.StringVar(&quick.Admin, "admin", "", "serve health and metrics on `ADDR`, or off")
	f.StringVar(&quick.Publish, "publish", "", "serve the page with the authority's certificate on `ADDR`")
	f.StringVar(&level, "log-level", "info", "lowest `LEVEL` that is logged: debug, info, warn or error")
	f.BoolVarP(&quiet, "quiet", "q", false, "on a terminal: log, instead of next steps and a line a session")
	f.StringVar(&profile, "profile", "", "write a CPU profile (pprof) of the run into `FILE`")
	f.DurationVar(&drain, "drain", 0, "how long open sessions may go on after SIGTERM and changes (default drain of the configuration, 30s)")
	return cmd
}

func loadConfig(file string, quick config.Quick) (*config.Config, error) {
	if file != "" {
		return config.Load(file)
	}
	return quick.Config(config.Starter, os.Getenv)
}

func bounded(yes bool) string {
	if yes {
		return "bounded"
	}
	return "not bounded"
}

// newLogger writes text on a terminal, JSON elsewhere.
func newLogger(level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(strings.ToUpper(level))); err != nil {
		return nil, fmt.Errorf("--log-level: unknown level %q, the levels are debug, info, warn and error", level)
	}
	opts := &slog.HandlerOptions{Level: l}
	to := io.MultiWriter(&recentLog, os.Stderr)
	if term.IsTerminal(int(os.Stderr.Fd())) {
		return slog.New(slog.NewTextHandler(to, opts)), nil
	}
	return slog.New(slog.NewJSONHandler(to, opts)), nil
}
