const fs = require('fs'), out = process.argv[2] + '/', names = JSON.parse(process.argv[3]);
const files = Object.fromEntries(names.map(n => [n, fs.readFileSync(n)])), has = n => { try { return require(n) } catch { return 0 } };
const each = f => { for (const n of names) f(n, files[n]) }, save = n => d => fs.writeFileSync(out + n, Buffer.from(d));
(async () => { let l;
  if (l = has('jszip')) for (const compression of ['STORE', 'DEFLATE']) for (const streamFiles of [false, true])
    for (const platform of ['DOS', 'UNIX']) { const z = new l(); each((n, d) => z.file(n, d));
      save(`jszip-${compression}${streamFiles}${platform}.zip`)(await z.generateAsync({type: 'nodebuffer', compression, streamFiles, platform})) }
  if (l = has('adm-zip')) { const z = new l(); each((n, d) => z.addFile(n, d)); save('adm-zip.zip')(z.toBuffer()) }
  if (l = has('fflate')) for (const level of [0, 1, 6, 9]) { save(`fflate-${level}.zip`)(l.zipSync(files, {level}));
      const parts = [], z = new l.Zip((e, d) => parts.push(Buffer.from(d)));
      each((n, d) => { const f = level ? new l.ZipDeflate(n, {level}) : new l.ZipPassThrough(n); z.add(f); f.push(d, true) });
      z.end(); save(`fflate-stream-${level}.zip`)(Buffer.concat(parts)) }
  if (l = has('yazl')) for (const compress of [false, true]) for (const forceZip64Format of [false, true]) { const z = new l.ZipFile();
      each((n, d) => z.addBuffer(d, n, {compress, forceZip64Format})); z.addEmptyDirectory('d'); z.end({forceZip64Format});
      const parts = []; for await (const p of z.outputStream) parts.push(p); save(`yazl-${compress}${forceZip64Format}.zip`)(Buffer.concat(parts)) }
})().catch(e => { console.error(e); process.exit(1) });
