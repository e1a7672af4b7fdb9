// An error as EC2 answers with it.
export class Ec2Fault extends Error {
  override readonly name = 'Ec2Fault';
  readonly code: string;
  readonly status: number;
  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}
