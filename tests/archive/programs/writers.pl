my $out = $ARGV[0]; my @names = split /;/, $ARGV[1];
use IO::Compress::Zip qw(:all);
for my $m (ZIP_CM_STORE, ZIP_CM_DEFLATE) { for my $s (0, 1) { for my $z (0, 1) {
  zip \@names => "$out/io-$m$s$z.zip", Method => $m, Stream => $s, Zip64 => $z or die;
}}}
if (eval { require Archive::Zip }) { for my $level (0, 1, 6, 9) {
  my $zip = Archive::Zip->new; for (@names) { $zip->addFile($_)->desiredCompressionLevel($level) }
  $zip->addDirectory('d/'); $zip->zipfileComment('x'); $zip->writeToFileNamed("$out/az-$level.zip") == 0 or die;
}}
