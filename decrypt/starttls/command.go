package starttls

import "github.com/clearspan/clearspan/decrypt/proto/pipeline"

// command is a command of POP3, FTP or IMAP as far as its reply matters.
type command uint8

const (
	other    command = iota
	greeting         // no command, but answered like one
	upgrade
	capability // the reply lists capabilities
	list       // the positive reply has several lines
	exchange   // SASL
	login      // success ends what can be followed
)

// queue holds the commands that have no reply yet, oldest first.
type queue struct{ pipeline.Queue[command] }

// front returns the oldest command, or other if there is none.
func (q *queue) front() command {
	c, _ := q.Front()
	return c
}

// push appends c. It ends the dialogue if too many commands are outstanding.
func (q *queue) push(d *Dialogue, c command) {
	if !q.Push(c) {
		d.state = Done
	}
}
