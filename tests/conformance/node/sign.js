"use strict";
// Reads a request as JSON from each line, and writes the headers that Huawei Cloud's own signer makes of it.
// Where the signer throws, the line has its error. The module is taken from the working directory.
const { createRequire } = require("module");
const path = require("path");
const readline = require("readline");

const theirs = createRequire(path.join(process.cwd(), "package.json"));
const { AKSKSigner } = theirs("@huaweicloud/huaweicloud-sdk-core/auth/AKSKSigner");

readline.createInterface({ input: process.stdin, crlfDelay: Infinity }).on("line", (line) => {
  const { request, accessKey, secretKey } = JSON.parse(line);
  let answer;
  try {
    answer = { headers: AKSKSigner.sign(request, { getAk: () => accessKey, getSk: () => secretKey }) };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
});
