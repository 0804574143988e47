package main

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/control/client"
)

func supportCommand() *cobra.Command {
	var at box
	var file string
	cmd := &cobra.Command{
		Use:   "support",
		Short: "Collect what helps others to find a fault, in one file",
		Long: `Collect what helps others to find a fault of the running appliance, in one file
(tar, zstd), and list what is in it. Read it before you give it away:

  zstd -dc clearspan-support.tar.zst | tar -xO | less

In it are versions, status, alerts, mirrors, services, intakes, metrics, the
configuration without comments, passwords and user names of URLs, and the last lines
of the log. The log names clients and hosts; --no-log leaves it out. Nothing is in it
of keys, tokens, passphrases, audit entries, captures and contents of sessions.`,
		Example: `  clearspan support
  clearspan support -c /etc/clearspan/clearspan.yaml --output support.tar.zst --no-log`,
		Args: takes(),
	}
	var noLog bool
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return at.ask(cmd, func(ctx context.Context, c *client.Client) error {
			now := time.Now()
			if file == "" {
				file = "clearspan-support-" + now.UTC().Format("20060102T150405Z") + ".tar.zst"
			}
			parts := supportParts(ctx, c, noLog)
			if err := writeSupport(file, parts, now); err != nil {
				return err
			}
			return tellSupport(cmd.OutOrStdout(), file, parts)
		})
	}
	at.flags(cmd)
	cmd.Flags().StringVar(&file, "output", "", "write to `FILE`, which must not exist (default clearspan-support-TIME.tar.zst)")
	cmd.Flags().BoolVar(&noLog, "no-log", false, "leave the log out, which names clients and hosts")
	return cmd
}

// supportPart is one file of the archive.
type supportPart struct {
	name, about string
	text        []byte
	err         error // why it is missing
}

// supportParts asks the box for all parts.
func supportParts(ctx context.Context, c *client.Client, noLog bool) []supportPart {
	parts := []supportPart{{name: "versions.txt", about: "versions of clearspan, Go, the kernel and the system", text: versions()}}
	object := func(name, about string, v any, err error) {
		text, failed := json.MarshalIndent(v, "", "  ")
		parts = append(parts, supportPart{name, about, append(text, '\n'), errors.Join(err, failed)})
	}
	status, err := c.Status(ctx)
	object("status.json", "state of the box and of its parts", status, err)
	alerts, err := c.Alerts(ctx)
	object("alerts.json", "what an operator must act on", alerts, err)
	intakes, err := c.Intakes(ctx)
	object("intakes.json", "intakes, with what they refused", intakes, err)
	mirrors, err := c.Mirrors(ctx)
	object("mirrors.json", "mirrors, with what they delivered and lost", mirrors, err)
	services, err := c.Services(ctx)
	object("services.json", "services, with their results", services, err)
	text := func(name, about, what string) {
		body, err := c.Text(ctx, what)
		parts = append(parts, supportPart{name, about, body, err})
	}
	text("metrics.txt", "all metrics; no client and no host is in them", client.Metrics)
	text("configuration.yaml", "the configuration without comments and secrets", client.Configuration)
	if !noLog {
		text("log.txt", "the last lines of the log; they name clients and hosts", client.Log)
	}
	return parts
}

// versions describes the programs of this machine.
func versions() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "clearspan %s (this command)\n%s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		fmt.Fprintf(&b, "%s %s %s\n", unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Version[:]))
	}
	if text, err := os.ReadFile("/etc/os-release"); err == nil {
		b.Write(text)
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			fmt.Fprintf(&b, "module %s %s\n", m.Path, m.Version)
		}
	}
	return []byte(b.String())
}

// listed returns a list of what is in the archive.
func listed(parts []supportPart) string {
	var b strings.Builder
	for _, p := range parts {
		if p.err != nil {
			fmt.Fprintf(&b, "%-19s missing: %v\n", p.name, p.err)
		} else {
			fmt.Fprintf(&b, "%-19s %s\n", p.name, p.about)
		}
	}
	return b.String()
}

// writeSupport writes the archive. On error no file is left.
func writeSupport(file string, parts []supportPart, now time.Time) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write support file: %w", err)
	}
	err = errors.Join(archive(f, parts, now), f.Close())
	if err != nil {
		os.Remove(file)
		return fmt.Errorf("write support file: %w", err)
	}
	return nil
}

// archive writes the parts, and a list of them.
func archive(w io.Writer, parts []supportPart, now time.Time) error {
	packed, err := zstd.NewWriter(w)
	if err != nil {
		return err
	}
	to := tar.NewWriter(packed)
	all := append([]supportPart{{name: "README.txt", text: []byte(listed(parts))}}, parts...)
	for _, p := range all {
		if p.err != nil {
			continue
		}
		head := &tar.Header{Name: path.Join("clearspan-support", p.name), Mode: 0o600, Size: int64(len(p.text)), ModTime: now}
		if err = to.WriteHeader(head); err == nil {
			_, err = to.Write(p.text)
		}
		if err != nil {
			break
		}
	}
	return errors.Join(err, to.Close(), packed.Close())
}

// tellSupport says what was written, and what is missing.
func tellSupport(w io.Writer, file string, parts []supportPart) error {
	if _, err := fmt.Fprintf(w, "%s holds:\n%s", file, listed(parts)); err != nil {
		return err
	}
	for _, p := range parts {
		if p.err != nil {
			return errors.New("some parts are missing: ask as root, or as the user of the process")
		}
	}
	return nil
}
