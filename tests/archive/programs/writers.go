package main
import ("archive/zip"; "fmt"; "io"; "os"; "path/filepath"; "time")
func main() {
  for i := 0; i < 8; i++ {
    target, _ := os.Create(fmt.Sprintf("%s/go-%d.zip", os.Args[1], i))
    out := zip.NewWriter(target)
    filepath.Walk(".", func(name string, info os.FileInfo, _ error) error {
      if info.IsDir() { if i % 2 == 1 && name != "." { out.Create(name + "/") }; return nil }
      head, _ := zip.FileInfoHeader(info); head.Name = name; head.Method = uint16(8 * (i / 2 % 2))
      if i > 3 { head.Modified = time.Unix(1767225601, 0) }
      entry, _ := out.CreateHeader(head); in, _ := os.Open(name); io.Copy(entry, in); in.Close()
      return nil
    })
    out.Close(); target.Close()
  }
}
