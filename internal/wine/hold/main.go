// Command hold runs until its standard input ends. It keeps the services of a Wine prefix running: they end with the
// last program, and the registrations of COM servers end with them.
package main

import (
	"fmt"
	"io"
	"os"
)

func main() {
	fmt.Println("holding")
	io.Copy(io.Discard, os.Stdin)
}
