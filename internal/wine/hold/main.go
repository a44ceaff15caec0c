// Command hold does nothing until its standard input ends. While it runs, Wine
// keeps up the services of its prefix, in which COM servers are registered: they
// end with the last program, and a server that registers meanwhile is forgotten.
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
