package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/inspect"
)

func recorderInspectCommand() *cobra.Command {
	var asJSON, all bool
	var lists listFlags
	cmd := &cobra.Command{
		Use:   "inspect FILE...",
		Short: "Look for personal and confidential data in files",
		Long: `Look for personal and confidential data in files: numbers of people and cards, lists
of people, marks of confidentiality. Text, HTML, mail, office documents and
archives are read, whatever their names are.

Values are shown masked. A finding has a score up to 100. Those below 70 are weak: a
telephone number alone is one. They are shown with --all, and always with --json.

Own words, and registered data, are found as well. Of a table, values of at least 4
characters are registered, but not the first line. Of documents, a passage of 200
characters is found, whatever its white space is.

Exit status: 0 all files were read, 1 bad command line, 2 a file could not be read.`,
		Example: `  clearspan recorder inspect customers.xlsx
  clearspan recorder inspect --registered customers=customers.csv outgoing/*
  clearspan recorder inspect --json *.zip | jq -r 'select(.score >= 70) | .file'`,
		Args: takesSome("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop) // a second signal ends at once
			show := showFindings
			if asJSON {
				show = printFindings
			}
			o, err := lists.load(ctx)
			if err != nil {
				return err
			}
			return recorder.InspectFiles(ctx, args, o, extractorCommand, func(i recorder.Inspected) error {
				return show(cmd.OutOrStdout(), i, all)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	lists.add(cmd.Flags())
	cmd.Flags().BoolVar(&all, "all", false, "weak findings, too")
	return cmd
}

// printFindings prints a line of JSON a finding.
func printFindings(w io.Writer, i recorder.Inspected, _ bool) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, f := range i.Findings {
		err := enc.Encode(struct {
			recorder.FindingLine
			File string `json:"file"`
		}{recorder.FindingLine{
			Finding: f.Detector, Count: uint64(f.Count), Object: i.Hash.String(), Sample: f.Sample, Place: f.Where, Score: f.Score,
		}, i.File})
		if err != nil {
			return err
		}
	}
	return nil
}

// showFindings prints a file and what is in it.
func showFindings(w io.Writer, i recorder.Inspected, all bool) error {
	lines := 0
	fmt.Fprintln(w, visible(i.File))
	for _, f := range i.Findings {
		if f.Score < inspect.Told && !all {
			continue
		}
		lines++
		fmt.Fprintf(w, "  %-20s %6d  score %3d  %s  %s\n", f.Detector, f.Count, f.Score, visible(f.Sample), visible(f.Where))
	}
	if lines == 0 {
		fmt.Fprintln(w, "  nothing found")
	}
	if i.Limited {
		fmt.Fprintln(w, "  not all of it could be read")
	}
	return nil
}
