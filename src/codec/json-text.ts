/** A value as the JSON text it is written in, with digits that no number of JavaScript has. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}
