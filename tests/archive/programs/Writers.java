import java.io.*; import java.net.URI; import java.nio.file.*; import java.util.*; import java.util.zip.*;
public class Writers {
  public static void main(String[] a) throws Exception {
    List<Path> files = new ArrayList<>();
    try (var found = Files.walk(Path.of("."))) { found.filter(Files::isRegularFile).sorted().forEach(files::add); }
    for (int level : new int[] {0, 1, 6, 9}) for (boolean stored : new boolean[] {false, true})
      try (ZipOutputStream out = new ZipOutputStream(new FileOutputStream(a[0] + "/stream-" + level + stored + ".zip"))) {
        out.setLevel(level); out.setComment("größe");
        for (Path file : files) {
          byte[] data = Files.readAllBytes(file); ZipEntry entry = new ZipEntry(file.normalize().toString());
          if (stored) {
            CRC32 crc = new CRC32(); crc.update(data); entry.setMethod(ZipEntry.STORED);
            entry.setSize(data.length); entry.setCrc(crc.getValue());
          }
          entry.setTime(1767225601000L); out.putNextEntry(entry); out.write(data); out.closeEntry();
        }
      }
    for (int i = 0; i < 6; i++) {
      Map<String, String> how = new HashMap<>(Map.of("create", "true"));
      if (i % 2 == 1) how.put("noCompression", "true");
      if (i % 3 == 1) how.put("enablePosixFileAttributes", "true");
      Path target = Path.of(a[0], "zipfs-" + i + ".zip").toAbsolutePath();
      if (i >= 4) Files.copy(Path.of(a[0], "stream-6false.zip"), target);
      try (FileSystem in = FileSystems.newFileSystem(URI.create("jar:" + target.toUri()), how)) {
        Files.createDirectories(in.getPath("/new/d"));
        for (Path file : files) Files.copy(file, in.getPath("/new/" + file.getFileName()), StandardCopyOption.REPLACE_EXISTING);
      }
    }
  }
}
