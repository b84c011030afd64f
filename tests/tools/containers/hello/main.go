// Command hello says that it runs, which is all that the demo's image is for.
package main

import "fmt"

func main() {
	fmt.Println("Hello! My image came from the registry in this cluster.")
}
