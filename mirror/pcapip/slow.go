package pcapip

// Slow is what happens to a reader whose queue is full. The zero value is Skip.
type Slow string

const (
	Skip       Slow = "skip"       // it misses the rest of the frames of that Send
	Disconnect Slow = "disconnect" // it is disconnected
)
