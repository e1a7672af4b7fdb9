// What there may be in an account.
export interface Tag {
  key: string;
  value: string;
}

export interface Resource {
  tags: Tag[];
  /** Time it was made at. */
  since: number;
}

export interface FakeSubnet {
  id: string;
  vpc: string;
  zone: string;
  cidr: string;
  cidr_v6?: string;
  /** Given by hand alone. */
  reserved?: string;
}

export interface FakeInterface extends Resource {
  id: string;
  subnet: FakeSubnet;
  groups: string[];
  /** The first is the primary one. */
  addresses: string[];
  addresses_v6: string[];
  attachment?: { id: string; instance: string; device: number; deleteOnTermination: boolean; until?: number };
}

export interface FakeInstance extends Resource {
  id: string;
  type: string;
  image: string;
  subnet: FakeSubnet;
  token: string;
  group: string | undefined;
  userData: string;
  /** Time of its termination. */
  ended?: number;
}

export interface FakeGroup extends Resource {
  id: string;
  name: string;
  vpc: string;
  rules: { id: string; protocol: string; from: number; to: number; cidr: string }[];
}

export interface FakeElasticIp extends Resource {
  id: string;
  ip: string;
  association?: { id: string; interface: string; address: string };
}

export interface FakeImage extends Resource {
  id: string;
  name: string;
  owner: string;
  created: string;
}
