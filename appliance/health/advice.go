package health

import "strings"

// advices says what an operator can do about a part that is not ok.
var advices = map[Kind]string{
	Intake:    "Read the log for the error of the intake. Restart clearspan when its cause is gone.",
	Mirror:    "Look at the cable, the interface and the recorder, or the disk. Sessions go on meanwhile; what the mirror does not get is counted.",
	Service:   "Look at the service. Sessions fail or pass it, as on_failure says.",
	Wire:      "Look at the log and at clearspan wire status. Connections pass or are blocked, as the key down says.",
	Authority: "Rotate the authority: clearspan ca rotate. Clients need the new certificate before the old one ends.",
	Audit:     "Make room on the disk of the audit file, or repair what reads it.",
	Disk:      "Make room on the disk.",
	Config:    "Run clearspan check, correct the configuration, and reload.",
	Worker:    "Read the log.",
}

func advice(kind Kind) string { return advices[kind] }

// compareNames orders alerts that began together.
func compareNames(a, b Alert) int {
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	return strings.Compare(a.Part, b.Part)
}
