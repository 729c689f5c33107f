/** The words of SQL in their colours. */

import { coloured } from '../editor.ts'

const WORDS = new Set(
  ('select from where group by order having limit offset as and or not in is null between like ilike join left right full inner outer cross on using union all distinct with ' +
    'recursive case when then else end cast interval over partition rows range filter qualify asc desc true false exists any values lateral pivot unpivot sample within asof')
    .split(' '))
const TOKENS = /(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|('(?:[^']|'')*'?)|("[^"]*"?)|(\b\d+(?:\.\d+)?\b)|([A-Za-z_]+)/g

export function sqlColours(text: string): (Node | string)[] {
  return coloured(text, TOKENS, ([, comment, string, name, number, word]) => (comment ? 'comment' : string ? 'string' : name ? 'name' : number ? 'number' : WORDS.has(word.toLowerCase()) ? 'word' : null))
}
