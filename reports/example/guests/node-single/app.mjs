import http from "http";

// Workers share the TCP connection
http.createServer((req, res) => {
  res.writeHead(200);
  res.end(`Hello from worker ${process.pid}\n`);
}).listen(3000);

console.log(`Worker ${process.pid} started`);
